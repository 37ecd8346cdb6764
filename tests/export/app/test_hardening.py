"""What hostile or clumsy visitors send, by the page's own programming interface."""

import json
import urllib.error
import urllib.request
import wave

import pytest

from tests.commands import ROOT, refused

DRAW = ("a small red bird", 0, 1, 1.0)


@pytest.fixture(scope="module")
def client(page):
    return pytest.importorskip("gradio_client").Client(page, verbose=False)


@pytest.fixture
def error():
    return pytest.importorskip("gradio_client.exceptions").AppError


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (("", 0, 1, 1.0), "empty"),
        (("a" * 10_000, 0, 1, 1.0), "characters"),
        (("a red\0bird", 0, 1, 1.0), "cannot be printed"),
        (("<script>alert(1)</script>", 0, 1, 1.0), "knows no word"),
        (("🐦🔥", 0, 1, 1.0), "knows no word"),
        (("a red bird", -1, 1, 1.0), "seed"),
        (("a red bird", 0, 65, 1.0), "number"),
        (("a red bird", 0, 1, 7.0), "truncation"),
        (("/etc/passwd", "/etc/passwd", "/etc/passwd", "/etc/passwd"), "seed"),
    ],
)
def test_bad_requests_are_answered_by_a_clear_message(client, error, values, named):
    with pytest.raises(error) as raised:
        client.predict(*values, api_name="/draw")
    message = str(raised.value)
    assert named in message
    assert str(ROOT) not in message and "Traceback" not in message
    assert client.predict(*DRAW, api_name="/draw")["total"] == 1  # The server is still up.


def test_a_recording_that_is_none_is_answered_by_a_clear_message(client, error, tmp_path, folder):
    handle_file = pytest.importorskip("gradio_client").handle_file
    text, silent = tmp_path / "text.wav", tmp_path / "silent.wav"
    text.write_text("no sound at all")
    with wave.open(str(silent), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
    for path, named in ((text, "no WAV"), (silent, "empty")):
        with pytest.raises(error, match=named):
            client.predict(handle_file(path), api_name="/hear")
    large = tmp_path / "large.wav"
    with open(large, "wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(Exception, match=r"413|exceed|too large|size"):
        client.predict(handle_file(large), api_name="/hear")
    assert not [path for path in folder.rglob("*.wav") if path.stat().st_size < 1_000_000]


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=/etc/passwd",
        f"gradio_api/file={ROOT}/README.md",
        "gradio_api/file=../../../../etc/passwd",
        "file=/etc/passwd",
        "static/../../../../etc/passwd",
        "picture.png?caption=/etc/passwd&model=../../etc",
        "docs",
        "nothing/here",
    ],
)
def test_no_file_of_the_machine_is_shown(page, path):
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(f"{page}{path}", timeout=60)
    body = raised.value.read().decode(errors="replace")
    assert raised.value.code in (400, 403, 404, 405)
    assert "root:" not in body and "TensorFlow" not in body and "Traceback" not in body


def test_a_recording_may_not_be_a_file_of_the_machine(page, tmp_path):
    own = tmp_path / "own.wav"
    own.write_bytes(b"RIFF")
    data = [{"path": str(own), "meta": {"_type": "gradio.FileData"}}]
    call = urllib.request.Request(
        f"{page}gradio_api/call/hear",
        json.dumps({"data": data}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(call, timeout=60) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{page}gradio_api/call/hear/{event}", timeout=60) as answer:
        told = answer.read().decode()
    assert told.startswith("event: error") and "WAV" not in told
    assert own.exists()


def test_flags_that_exclude_each_other_are_refused():
    message = refused("export.app", "--server=localhost:1", "--model_dir=bundled")
    assert message == "error: give --model_dir or --server, not both"
