"""The page: its components, and which of the studio's abilities each of them calls."""

import functools
import html
import inspect
import socket
from collections.abc import Callable
from pathlib import Path

import gradio as gr

from data_pipeline.support.errors import UserError
from export.app import asked as limits
from export.app import speech
from export.app.asked import Asked
from export.app.downloads import routes
from export.app.studio import Studio

AT_ONCE = 8  # requests that draw in turns, batch by batch; the others wait in the queue
WAITING = 200
STATIC = Path(__file__).parent / "static"
FONTS = ("ui-sans-serif", "system-ui", "sans-serif")  # Gradio's own come from the network.
SPEECH_AT_ONCE = 1


def build(studio: Studio) -> gr.Blocks:
    """Makes the page of a studio."""
    mixes = any(model.mixes for model in studio.models)
    names = html.escape(" and ".join(model.name for model in studio.models))
    start = Asked(studio.examples()[0] if studio.examples() else "")
    with gr.Blocks(title="Draw a caption", analytics_enabled=False, delete_cache=(60, 60)) as page:
        gr.HTML(f"<h1>Say it, see it</h1><p>Type or speak a caption; <b>{names}</b> draws it.</p>")
        with gr.Row():
            with gr.Column(scale=3, min_width=280):
                caption = gr.Textbox(
                    label="Caption",
                    placeholder="a small red bird with black wings",
                    lines=2,
                    max_lines=4,
                    max_length=limits.LONGEST_CAPTION,
                    autofocus=True,
                    elem_id="caption",
                )
                notes = _part("notes", "choose")
                with gr.Row():
                    button = gr.Button("Draw", variant="primary", scale=3, elem_id="draw")
                    surprise = gr.Button("Surprise me", scale=1, min_width=150)
            with gr.Column(scale=2, min_width=280):
                recording = gr.Audio(
                    label="Or say it",
                    sources=["microphone", "upload"],
                    type="filepath",
                    elem_id="recording",
                )
                with gr.Accordion("Settings", open=False):
                    number = gr.Slider(
                        1, limits.MOST_PICTURES, start.number, step=1, label="Pictures"
                    )
                    seed = gr.Slider(
                        0, limits.LARGEST_SEED, start.seed, step=1, label="Seed of the first"
                    )
                    truncation = gr.Slider(
                        *(0, 1, start.truncation),
                        step=0.05,
                        label="Truncation of the noise",
                        info="Below 1 the pictures of a caption are more alike.",
                        visible=mixes,
                    )
        gallery = _part("gallery", "choose", "recall")
        stages = _part("stages", "vary")
        varied = _part("gallery", "choose")
        with gr.Accordion("From one caption to another", open=False, visible=mixes):
            last = gr.Textbox(label="Second caption", max_length=limits.LONGEST_CAPTION)
            with gr.Row():
                steps = gr.Slider(2, limits.MOST_STEPS, 8, step=1, label="Steps", scale=3)
                mix = gr.Button("Draw the way", scale=1)
            way = _part("gallery", "choose")
        _connect(
            studio,
            start,
            [caption, seed, number, truncation],
            dict(notes=notes, gallery=gallery, stages=stages, varied=varied, way=way),
            dict(page=page, button=button, surprise=surprise, recording=recording),
            dict(last=last, steps=steps, mix=mix),
        )
    return page.queue(max_size=WAITING)


def serve(studio: Studio, host: str, port: int, share: bool) -> None:
    """Serves the page until the process is interrupted.

    Args:
        studio: Does the work.
        host: Address to listen on.
        port: 0 for a free one.
        share: Whether to open a public link, too.

    Raises:
        UserError: The port is taken.
    """
    page = build(studio)
    try:
        _, local, public = page.launch(
            server_name=host,
            server_port=port or _free_port(host),
            share=share,
            quiet=True,
            prevent_thread_lock=True,
            footer_links=[],
            max_file_size=speech.LARGEST_BYTES,
            ssr_mode=False,
            app_kwargs={"routes": routes(studio), "docs_url": None, "redoc_url": None},
            **_look(),
        )
    except OSError as error:
        raise UserError(f"--port={port} is taken: give another one") from error
    print(f"the page is at {local}" + (f" and at {public}" if public else ""), flush=True)
    page.block_thread()


def _free_port(host):
    with socket.socket() as free:
        free.bind((host, 0))
        return free.getsockname()[1]


def _look():
    """How the page looks: arguments of `Blocks.launch`."""
    return {
        "theme": gr.themes.Soft(primary_hue="emerald", font=FONTS, font_mono="monospace"),
        "css": (STATIC / "page.css").read_text("utf-8"),
        "head": f"<script>{(STATIC / 'page.js').read_text('utf-8')}</script>",
    }


def _connect(studio, start, settings, parts, entry, mixing):
    """Lets each event call the studio."""
    caption, seed, _, truncation = settings

    def draw(caption, seed, number, truncation, request: gr.Request):
        asked = Asked.checked(caption, seed, number, truncation)
        yield from studio.draw(asked, _visitor(request))

    def between(caption, last, seed, steps, truncation, request: gr.Request):
        asked = Asked.checked(caption, seed, 1, truncation)
        yield from studio.between(asked, last, steps, _visitor(request))

    def explain(event: gr.EventData, request: gr.Request):
        wanted = _asked(event), event._data.get("model")
        return studio.explain(*wanted, _visitor(request))

    def vary(event: gr.EventData, request: gr.Request):
        wanted = _asked(event), event._data.get("model"), event._data.get("place")
        yield from studio.vary(*wanted, _visitor(request))

    def recall(event: gr.EventData):
        return _values(_asked(event))

    def hear(recording, request: gr.Request):
        if not recording:
            raise UserError("there is no recording: press the microphone and speak")
        return studio.hear(recording, _visitor(request)), None

    def choose(event: gr.EventData):
        return limits.text(event._data.get("caption"))

    def arrive(request: gr.Request):
        if "caption" not in request.query_params:
            return _values(start)
        return _values(Asked.from_query(request.query_params))

    slot = {"concurrency_limit": AT_ONCE, "concurrency_id": "draw"}
    unchecked = {"preprocess": False}  # The studio checks all values, with messages of its own.
    inner = {"api_visibility": "private"}  # Their inputs come from the page's own parts.
    quick = {"queue": False, "show_progress": "hidden", **inner}
    drawing = {"fn": _told(draw), "inputs": settings, "outputs": parts["gallery"], **slot}
    drawing |= {"show_progress": "minimal", **unchecked}

    gr.on([entry["button"].click, caption.submit], **drawing, api_name="draw")
    mixing["mix"].click(
        _told(between),
        [caption, mixing["last"], seed, mixing["steps"], truncation],
        parts["way"],
        api_name="between",
        show_progress="minimal",
        **slot,
        **unchecked,
    )
    entry["recording"].input(
        _told(hear),
        entry["recording"],
        [caption, entry["recording"]],
        api_name="hear",
        concurrency_limit=SPEECH_AT_ONCE,
    ).success(**drawing, **inner)

    caption.change(studio.notes, caption, parts["notes"], trigger_mode="always_last", **quick)
    entry["surprise"].click(studio.example, None, caption, **quick).success(**drawing, **inner)
    entry["page"].load(_told(arrive), None, settings, **quick).success(**drawing, **inner)
    parts["notes"].choose(_told(choose), None, caption, **quick)
    parts["gallery"].recall(_told(recall), None, settings, **quick).success(**drawing, **inner)
    for name in ("gallery", "varied", "way"):
        explained = parts[name].choose(
            _told(explain), None, parts["stages"], show_progress="minimal", **slot, **inner
        )
        if name != "varied":
            explained.success(lambda: None, None, parts["varied"], **quick)
    parts["stages"].vary(
        _told(vary), None, parts["varied"], show_progress="minimal", **slot, **inner
    )


def _part(name: str, *events: str) -> gr.HTML:
    """A part of the page that page.js draws of its value; it sends the events."""
    sends = ", ".join(f"{event}: (data) => trigger('{event}', data)" for event in events)
    return gr.HTML(
        None,
        html_template="",
        js_on_load=f"t2i.{name}(element, props, watch, {{{sends}}})",
        elem_classes=f"t2i-{name}",
    )


def _told(function: Callable) -> Callable:
    """The function with a `UserError` as a message on the page, and to programs that call it."""
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def told(*values):
            try:
                yield from function(*values)
            except UserError as error:
                raise gr.Error(html.escape(str(error)), print_exception=False) from None

        return told

    @functools.wraps(function)
    def answered(*values):
        try:
            return function(*values)
        except UserError as error:
            raise gr.Error(html.escape(str(error)), print_exception=False) from None

    return answered


def _asked(event):
    data = event._data if isinstance(event._data, dict) else {}
    return Asked.from_query({name: value for name, value in data.items() if value is not None})


def _values(asked):
    return asked.caption, asked.seed, asked.number, asked.truncation


def _visitor(request):
    return request.client.host
