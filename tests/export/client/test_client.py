"""The client against servers that answer, fail, refuse and come back."""

import http.server
import json
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from data_pipeline.support.errors import UserError
from export import client
from export.client import transports
from export.client.transports import Grpc, RefusedError, Rest, UnavailableError, connect, patiently
from tests.commands import ROOT, command

HTTP = {"NOT_FOUND": 404, "INVALID_ARGUMENT": 400, "UNAVAILABLE": 503, "RESOURCE_EXHAUSTED": 429}


class Painter:
    """Answers by both protocols with pictures of a colour that tells text and seed apart.

    Attributes:
        faults: Names of statuses to answer first, one a request.
        asked: Texts and seeds in the order that they came.
        together: Requests that wait for one another before they are answered.
    """

    def __init__(self):
        self.faults, self.asked = [], []
        self.delay, self.together = 0.0, threading.Barrier(1)
        self._lock = threading.Lock()

    def answer(self, name, signature, text, seed):
        """A picture or the name of a status."""
        time.sleep(self.delay)
        self.together.wait(30)
        with self._lock:
            self.asked.append((text, seed))
            if self.faults:
                return self.faults.pop(0)
        assert (name, signature) == ("birds", "generate")
        return picture(text, seed)


def picture(text, seed):
    return np.full((4, 4, 3), (len(text), seed % 256, 7), np.uint8)


@pytest.fixture
def painter():
    return Painter()


@pytest.fixture
def grpc_server(painter):
    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):  # noqa: N802
            (text,) = tf.make_ndarray(request.inputs["text"])
            (seed,) = tf.make_ndarray(request.inputs["seed"])
            spec = request.model_spec
            answer = painter.answer(spec.name, spec.signature_name, text.decode(), int(seed))
            if isinstance(answer, str):
                context.abort(grpc.StatusCode[answer], "so it is")
            response = predict_pb2.PredictResponse()
            response.outputs["image"].CopyFrom(tf.make_tensor_proto(answer[None]))
            return response

    server = grpc.server(ThreadPoolExecutor(4))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


@pytest.fixture
def rest_server(painter):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = self.path.removeprefix("/v1/models/").removesuffix(":predict")
            (text,), (seed,) = request["inputs"]["text"], request["inputs"]["seed"]
            answer = painter.answer(name, request["signature_name"], text, seed)
            status, body = 200, {"outputs": np.asarray([answer]).tolist()}
            if isinstance(answer, str):
                status, body = HTTP[answer], {"error": "so it is"}
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *arguments):
            """Keeps the test's output free of requests."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["grpc", "rest"])
def ask(request):
    return connect(request.getfixturevalue(f"{request.param}_server"), None, "birds")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(transports, "FIRST_PAUSE", 0.01)


def test_pictures_are_written_as_by_the_local_command(ask, tmp_path):
    texts = ["a red bird", "blue"]
    paths = list(client.draw(ask, texts, tmp_path, num_images=2, seed=2**62))
    assert [path.name for path in paths] == [
        f"{i:03d}_{slug}_seed{2**62 + i % 2}.png"
        for i, slug in enumerate(["a-red-bird", "a-red-bird", "blue", "blue"])
    ]
    for i, path in enumerate(paths):
        with Image.open(path) as image:
            assert image.info["Description"] == texts[i // 2]
            np.testing.assert_array_equal(image, picture(texts[i // 2], 2**62 + i % 2))
    (more,) = client.draw(ask, ["blue"], tmp_path)
    assert more.name == "004_blue_seed0.png"
    assert sorted(tmp_path.iterdir()) == [*paths, more]  # No temporary files.


def test_requests_are_in_flight_together(ask, painter, tmp_path):
    painter.together = threading.Barrier(4)
    assert len(list(client.draw(ask, ["bird"] * 8, tmp_path))) == 8


def test_an_unavailable_server_is_asked_again(ask, painter):
    painter.faults = ["UNAVAILABLE"] * 3
    np.testing.assert_array_equal(patiently(ask, "bird", 1, 30.0), picture("bird", 1))
    assert painter.asked == [("bird", 1)] * 4


@pytest.mark.parametrize("status", ["NOT_FOUND", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"])
def test_a_refusal_is_final_and_told_in_one_line(ask, painter, tmp_path, status):
    painter.faults = [status]
    with pytest.raises(UserError, match="no picture of 'bird': .*: so it is") as raised:
        list(client.draw(ask, ["bird"], tmp_path))
    hint = "there is no model 'birds': give --model_name="
    assert (hint in str(raised.value)) == (status == "NOT_FOUND")
    assert "\n" not in str(raised.value)
    assert len(painter.asked) == 1 and not list(tmp_path.iterdir())


def test_a_picture_that_takes_too_long_is_given_up(ask, painter):
    painter.delay = 0.5
    with pytest.raises(RefusedError, match="DEADLINE_EXCEEDED|no answer within"):
        patiently(ask, "bird", 1, 0.1)


@pytest.mark.parametrize("transport", [Grpc, Rest])
def test_where_nobody_listens_the_server_is_unavailable(transport):
    address = "127.0.0.1:1" if transport is Grpc else "http://127.0.0.1:1"
    with pytest.raises(UnavailableError):
        transport(address, "birds")("bird", 1, 5.0)
    with pytest.raises(RefusedError, match="not available for 0.1 seconds"):
        patiently(transport(address, "birds"), "bird", 1, 0.1)


def test_pauses_double_and_vary(monkeypatch):
    waited = []

    def unavailable(text, seed, timeout_s):
        if len(waited) < 6:
            raise UnavailableError("away")
        return picture(text, seed)

    monkeypatch.setattr(transports.time, "sleep", waited.append)
    patiently(unavailable, "bird", 1, 60.0)
    for i, wait in enumerate(waited):
        assert 0.5 <= wait / (0.01 * 2**i) <= 1.5
    assert len({round(wait / (0.01 * 2**i), 6) for i, wait in enumerate(waited)}) > 1


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"outputs": [[1, 2]]}'])
def test_answers_that_are_no_pictures(body, monkeypatch, rest_server):
    monkeypatch.setattr(
        http.server.BaseHTTPRequestHandler,
        "end_headers",
        lambda self: (self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + body), self.wfile.close()),
    )
    with pytest.raises(RefusedError, match="no picture|not TensorFlow Serving's JSON"):
        Rest(rest_server, "birds")("bird", 1, 5.0)


@pytest.mark.parametrize(
    "server, protocol, kind",
    [
        ("localhost:8500", None, Grpc),
        ("localhost:8500", "grpc", Grpc),
        ("localhost:8501", "rest", Rest),
        ("http://localhost:8501", None, Rest),
        ("https://birds.example:443/", "rest", Rest),
    ],
)
def test_the_address_tells_the_protocol(server, protocol, kind):
    assert type(connect(server, protocol, "birds")) is kind


@pytest.mark.parametrize(
    "server, protocol",
    [("localhost", None), ("ftp://host:1", None), (":8500", None), ("http://host:1", "grpc")],
)
def test_addresses_that_are_none(server, protocol):
    with pytest.raises(UserError, match="is neither host:port|gRPC takes the server as"):
        connect(server, protocol, "birds")


def test_the_command_draws_and_shows_progress(rest_server, tmp_path):
    (tmp_path / "captions.txt").write_text("red\n\nblue bird\n")
    done = subprocess.run(
        command(
            "export.client",
            f"--server={rest_server}",
            f"--captions_file={tmp_path / 'captions.txt'}",
            f"--output_dir={tmp_path / 'out'}",
            "--seed=5",
        ),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    names = ["000_red_seed5.png", "001_blue-bird_seed5.png"]
    assert done.stdout.splitlines() == [str(tmp_path / "out" / name) for name in names]
    assert "2/2 pictures" in done.stderr
