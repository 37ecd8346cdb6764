"""Clients of a served model that ask without a pause and look at every answer."""

import asyncio
import base64
import collections
import contextlib
import dataclasses
import io
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

ROOT = Path(__file__).parents[1]

COLORS = ("red", "blue", "yellow", "black", "white", "brown", "grey", "orange")
PARTS = ("wings", "belly", "crown", "bill", "breast", "tail", "back", "head")
CAPTIONS = [
    f"this small bird has a {color} {part} and {COLORS[i - 1]} eyes"
    for i, color in enumerate(COLORS)
    for part in PARTS
]


class Server:
    """A running `export.serve` on free ports of this machine; use as a context manager.

    Attributes:
        process: Its process.
        name: The model's name.
        rest_port: Where REST answers.
        grpc_port: Where gRPC answers.
    """

    def __init__(self, saved_model_dir: str | Path, *flags: str):
        self._command = [
            *(sys.executable, "-m", "export.serve"),
            f"--saved_model_dir={saved_model_dir}",
            "--rest_port=0",
            "--grpc_port=0",
            *flags,
        ]

    def __enter__(self):
        self.process = subprocess.Popen(
            self._command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        ready = self.process.stdout.readline()
        found = re.search(r"REST http://.*:(\d+)/v1/models/(.*), gRPC .*:(\d+)", ready)
        if not found:
            raise RuntimeError(f"the server did not start: {self.process.communicate()[1]}")
        self.rest_port, self.name, self.grpc_port = int(found[1]), found[2], int(found[3])
        return self

    def __exit__(self, *exception):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.communicate(timeout=60)


@dataclasses.dataclass
class Tally:
    """Counts the answers that clients got.

    Attributes:
        right: Answers with the expected picture.
        latencies: Seconds of each.
        problems: Everything else that happened, and how often.
        versions: Which versions answered (gRPC says it).
        seconds: From the first request to the last answer.
    """

    right: int = 0
    latencies: list = dataclasses.field(default_factory=list)
    problems: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    versions: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    seconds: float = 0.0

    def note(self, seconds: float, fault: str) -> None:
        """Counts an answer; `fault` says what is wrong with it, or is empty."""
        if fault:
            self.problems[fault] += 1
        else:
            self.right += 1
            self.latencies.append(seconds)


class Expected:
    """The right pictures, computed one by one without a server.

    Args:
        version_dir: A SavedModel.
        captions: Texts, each with its row as seed.
    """

    def __init__(self, version_dir: str | Path, captions: Sequence[str] = CAPTIONS):
        self.captions = captions
        signatures = tf.saved_model.load(str(version_dir)).signatures
        self.files, self.images = [], []
        for seed, caption in enumerate(captions):
            text = tf.constant([caption])
            self.files.append(signatures["serving_default"](text=text)["image_bytes"].numpy()[0])
            seeds = tf.constant([seed], tf.int64)
            self.images.append(signatures["generate"](text=text, seed=seeds)["image"].numpy()[0])

    def fault_of_file(self, row: int, answer: bytes) -> str:
        """Tells what is wrong with a caption's PNG file, if anything."""
        same = answer == self.files[row] or _near(_decode(answer), _decode(self.files[row]))
        return "" if same else "another picture"

    def fault_of_image(self, row: int, answer: np.ndarray) -> str:
        """Tells what is wrong with the image of a caption and its seed, if anything."""
        return "" if _near(answer, self.images[row]) else "another picture"


async def rest_client(
    server: Server, expected: Expected, stop: asyncio.Event, row: int, tally: Tally
) -> None:
    """Asks for PNG files by REST on one connection, until `stop` is set."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.rest_port)
    while not stop.is_set():
        row = (row + 1) % len(expected.captions)
        sent = time.monotonic()
        body = json.dumps({"instances": [expected.captions[row]]}).encode()
        try:
            status, answer = await post(reader, writer, server.name, body)
        except (OSError, EOFError) as error:
            tally.note(0.0, type(error).__name__)
            break
        seconds = time.monotonic() - sent
        if status != 200:
            tally.note(seconds, f"HTTP {status}: {answer[:100]}")
            continue
        (prediction,) = json.loads(answer)["predictions"]
        tally.note(seconds, expected.fault_of_file(row, base64.b64decode(prediction["b64"])))
    writer.close()


async def post(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    name: str,
    body: bytes,
    method: str = "predict",
) -> tuple[int, bytes]:
    """Sends one request on an open connection; returns status and body."""
    head = f"POST /v1/models/{name}:{method} HTTP/1.1\r\nHost: test\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    return await answer_on(reader)


async def answer_on(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Reads one answer: status and body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    size = int(re.search(r"(?i)content-length: (\d+)", head)[1])
    return int(head.split(None, 2)[1]), await reader.readexactly(size)


def predict_request(
    name: str, signature: str = "generate", **inputs: object
) -> predict_pb2.PredictRequest:
    """Makes a gRPC request of one signature."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = name, signature
    for key, values in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(values))
    return request


async def grpc_client(
    server: Server, expected: Expected, stop: asyncio.Event, row: int, tally: Tally
) -> None:
    """Asks for images by gRPC on one connection, until `stop` is set."""
    options = [("grpc.use_local_subchannel_pool", 1)]  # A connection of its own.
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}", options) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        while not stop.is_set():
            row = (row + 1) % len(expected.captions)
            request = predict_request(
                server.name, text=[expected.captions[row]], seed=np.array([row])
            )
            sent = time.monotonic()
            try:
                answer = await stub.Predict(request, timeout=60)
            except grpc.aio.AioRpcError as error:
                tally.note(0.0, f"{error.code().name}: {error.details()}")
                continue
            seconds = time.monotonic() - sent
            image = tf.make_ndarray(answer.outputs["image"])[0]
            tally.note(seconds, expected.fault_of_image(row, image))
            tally.versions[answer.model_spec.version.value] += 1


async def load(
    server: Server,
    expected: Expected,
    seconds: float,
    clients: dict[str, int],
    beside: Sequence[Coroutine] = (),
) -> tuple[dict[str, Tally], list]:
    """Runs clients at once.

    Args:
        server: A `Server`.
        expected: An `Expected`.
        seconds: For how long at least.
        clients: How many by protocol, as `{"rest": 100, "grpc": 100}`.
        beside: Coroutines that run meanwhile; the clients go on until they end.

    Returns:
        A `Tally` by protocol; the results of `beside`.
    """
    stop, start = asyncio.Event(), time.monotonic()
    tallies = {protocol: Tally() for protocol in clients}
    client = {"rest": rest_client, "grpc": grpc_client}
    running = [
        asyncio.create_task(client[protocol](server, expected, stop, row, tallies[protocol]))
        for protocol, count in clients.items()
        for row in range(count)
    ]
    _, *results = await asyncio.gather(asyncio.sleep(seconds), *beside)
    stop.set()
    await asyncio.gather(*running)
    for tally in tallies.values():
        tally.seconds = time.monotonic() - start
    return tallies, results


async def replace(server: Server, folder: Path) -> None:
    """Copies version 1 as version 2, as another program would, and waits until it answers."""
    await asyncio.to_thread(shutil.copytree, folder / "1", folder / ".2")
    (folder / ".2").rename(folder / "2")
    status = f"GET /v1/models/{server.name}/versions/2 HTTP/1.1\r\nHost: test\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.rest_port)
    answer = b""
    while b"AVAILABLE" not in answer:
        await asyncio.sleep(0.1)
        writer.write(status)
        _, answer = await answer_on(reader)
    writer.close()
    await asyncio.sleep(0.5)  # So that it is asked, too.


def _near(one, other):
    """Whether two images differ by no more than rounding."""
    if one.shape != other.shape:
        return False
    return np.array_equal(one, other) or np.abs(one.astype(int) - other.astype(int)).max() <= 1


def _decode(file):
    with contextlib.suppress(OSError):
        return np.asarray(Image.open(io.BytesIO(file)))
    return np.zeros(0, np.uint8)
