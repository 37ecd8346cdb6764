"""A comparison as one HTML page, and as JSON."""

import html
import json
from collections.abc import Mapping, Sequence

from PIL import Image

from data_pipeline.support import html_page
from t2i_tf.comparing.measured import Pair
from t2i_tf.metrics.figures.interval import STUDENT
from t2i_tf.metrics.report import COLOUR_NOISE, DRAWN, REAL, Row, title
from t2i_tf.models.images import png


def page(
    reports: Mapping[str, dict],
    pairs: Sequence[Pair],
    judge: str,
    sheets: Mapping[str, Image.Image],
    notes: Sequence[str] = (),
) -> str:
    """Writes the page.

    Args:
        reports: See `measured.measure`.
        pairs: See `measured.pairs`.
        judge: The model whose DAMSM judges.
        sheets: Pictures by their headings.
        notes: See `measured.check`.
    """
    pictures = next(iter(reports.values()))["pictures"]
    summary = (
        f"{pictures['count']:,} pictures of {pictures['size']} px of each model, of the same test "
        f"captions and seeds. The DAMSM of {judge} judges all of them: it favours the model that "
        "it trained. Intervals are of 95 %, over captions and seeds; ★ marks a model that is "
        "better than every other one at the 5 % level."
    )
    note = (
        "First minus second, over the same tenths of the captions left out in turn; p by Student's "
        "paired t test. Each of these tests is wrong once in twenty times where there is no "
        "difference."
    )
    body = [
        f"<p>{html.escape(' '.join([summary, *notes]))}</p>",
        f"<h2>Figures</h2>{_figures(reports, pairs)}",
        f"<h2>Two by two</h2><p>{note}</p>{_pairs(pairs)}",
        *(
            f"<h2>{html.escape(heading)}</h2>{html_page.image(png(sheet, {}), 'png', heading)}"
            for heading, sheet in sheets.items()
        ),
    ]
    return html_page.document("Models side by side", "".join(body))


def as_json(reports: Mapping[str, dict], pairs: Sequence[Pair], judge: str) -> str:
    """The comparison as JSON."""
    own = {"judge": judge, "models": reports, "pairs": [pair.described() for pair in pairs]}
    return json.dumps(own, indent=2, default=lambda row: row.described()) + "\n"


def _figures(reports, pairs):
    rows = []
    first = next(iter(reports.values()))["figures"]
    for key in dict.fromkeys((row.figure, row.by) for row in first):
        found = {
            name: {row.of: row for row in own["figures"] if (row.figure, row.by) == key}
            for name, own in reports.items()
        }
        one = next(iter(found.values()))
        if DRAWN not in one:
            continue
        cells = [
            _interval(own[DRAWN]) + (" ★" if _best(name, key, reports, pairs) else "")
            if DRAWN in own
            else ""
            for name, own in found.items()
        ]
        others = [_interval(one[of]) if of in one else "" for of in (COLOUR_NOISE, REAL)]
        arrow = {1: " ↑", -1: " ↓", 0: ""}[title(key[0]).better]
        rows.append([f"{title(key[0]).name} [{key[1]}]{arrow}", *cells, *others])
    return html_page.table(["", *reports, COLOUR_NOISE, REAL], rows)


def _best(name, key, reports, pairs):
    """Whether a model is better than every other one by a figure."""
    own = [pair for pair in pairs if (pair.first.figure, pair.first.by) == key]
    won = [pair for pair in own if name in pair.names and pair.better == name]
    return len(won) == len(reports) - 1


def _pairs(pairs):
    rows = []
    for pair in pairs:
        own = title(pair.first.figure)
        low, high = (format(end * own.scale, own.form) for end in pair.difference.interval)
        verdict = f"{pair.better} is better" if pair.better else "no difference shown"
        if pair.better and _overlap(pair.first, pair.second):
            verdict += ", though their own intervals overlap"
        rows.append(
            [
                f"{own.name} [{pair.first.by}]",
                f"{pair.names[0]} - {pair.names[1]}",
                format(pair.difference.value * own.scale, own.form),
                f"{low} to {high}",
                f"{pair.difference.p:.2g}",
                verdict,
            ]
        )
    return html_page.table(
        ["", "models", "difference", "95 % interval", "p", ""], rows, texts=(0, 1, 5)
    )


def _interval(row: Row):
    own = title(row.figure)
    value, half = row.value.value * own.scale, STUDENT * row.value.error * own.scale
    return f"{format(value, own.form)} ± {format(half, own.form)}"


def _overlap(first: Row, second: Row):
    reach = STUDENT * (first.value.error + second.value.error)
    return abs(first.value.value - second.value.value) <= reach
