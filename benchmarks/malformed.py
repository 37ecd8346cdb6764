"""Requests that a server has to refuse, each of its own kind, with TensorFlow Serving's answer.

TensorFlow Serving itself limits no body and drops a slow client without an answer.
"""

import asyncio
import contextlib
import json
import time

from benchmarks.load import Server, post

# Name: model or None for the server's, body, status.
MALFORMED = {
    "bad JSON": (None, b'{"instances": ["a bird"', 400),
    "no JSON": (None, b"\x89PNG\r\n\x1a\n\0\0", 400),
    "NUL in JSON": (None, b'{"instances": ["a\0bird"]}', 400),
    "NUL in text": (None, b'{"instances": ["a\\u0000bird"]}', 200),
    "NUL alone": (None, b'{"instances": ["\\u0000"]}', 400),
    "wrong dtype": (None, b'{"instances": [17]}', 400),
    "wrong signature": (None, b'{"signature_name": "draw", "instances": ["a bird"]}', 400),
    "missing input": (None, b'{"signature_name": "generate", "inputs": {"text": ["a"]}}', 400),
    "unknown model": ("cats", b'{"instances": ["a bird"]}', 404),
    "empty batch": (None, b'{"instances": []}', 400),
    "unknown words": (None, b'{"instances": ["a bird", "zorp"]}', 400),
    "deep nesting": (None, b"[" * 100_000, 400),
    "10 MB body": (None, b'{"instances": ["' + b"bird " * 2_000_000 + b'"]}', 413),
}
SLOW = {"head": (b"", True), "body": (b"HTTP/1.1 408", True)}
PATIENCE = 20  # seconds


async def ask_malformed(server: Server, times: int) -> dict[str, tuple[int, int] | None]:
    """Sends every malformed request some times.

    Returns:
        For each its status and how often it came; None if answers differed.
    """
    found = {}
    for name, (model, body, _) in MALFORMED.items():
        statuses = []
        for _ in range(times):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.rest_port)
            status, answer = await post(reader, writer, model or server.name, body)
            assert list(json.loads(answer)) == (["predictions"] if status == 200 else ["error"])
            statuses.append(status)
            writer.close()
        found[name] = (statuses[0], times) if len(set(statuses)) == 1 else None
    return found


async def ask_slowly(server: Server) -> dict[str, tuple[bytes, bool]]:
    """Sends the head, and the body, of a request a byte at a time without an end.

    Returns:
        For each how the answer begins and whether the connection was closed in time.
    """
    line = f"POST /v1/models/{server.name}:predict HTTP/1.1\r\nHost: slow\r\n".encode()
    slow = {"head": line, "body": line + b"Content-Length: 1000\r\n\r\n"}
    answers = await asyncio.gather(*(_drip(server, start) for start in slow.values()))
    return dict(zip(slow, answers, strict=True))


async def _drip(server, start):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.rest_port)
    writer.write(start)
    began, reading = time.monotonic(), asyncio.create_task(reader.read())
    while not reading.done() and time.monotonic() - began < PATIENCE:
        with contextlib.suppress(ConnectionError):
            writer.write(b"x")
            await writer.drain()
        await asyncio.sleep(0.1)
    closed = reading.done()
    writer.close()
    with contextlib.suppress(ConnectionError):
        return (await reading)[:12], closed
    return b"", closed
