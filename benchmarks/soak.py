"""Serves for minutes under all that a server meets, and says whether it stayed right.

    python -m benchmarks.soak --minutes=10

Clients of both interfaces ask without a pause and look at every answer, while versions are swapped,
malformed requests come, and clients vanish in the middle of a request. At the end no answer may be
wrong or lost, and memory, threads and open files must be where they were.
"""

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import grpc
from absl import flags

from benchmarks.load import Expected, Server, load, predict_request
from benchmarks.malformed import MALFORMED, ask_malformed
from data_pipeline.support.errors import run
from export import saved_model

SAMPLE_SECONDS = 2.0
FLAT = 0.05  # of the memory, over the last half


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("model_dir", "bundled", "Model directory to serve.")
    flags.DEFINE_float("minutes", 10.0, "How long.", 0.05)
    flags.DEFINE_float("swap_s", 20.0, "Seconds from one new version to the next.", 1.0)
    flags.DEFINE_integer("clients", 4, "Clients of each interface.", 1)


def main(_: list[str]) -> None:
    """Soaks a server; exits with 1 if anything was wrong."""
    options = flags.FLAGS
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "soaked"
        saved_model.export(options.model_dir, folder)
        expected = Expected(folder / "1")
        with Server(folder) as server:
            wrong = asyncio.run(_soak(server, expected, folder, options))
    for line in wrong:
        print(f"WRONG: {line}")
    sys.exit(bool(wrong))


async def _soak(server, expected, folder, options):
    end = time.monotonic() + 60 * options.minutes
    clients = {"rest": options.clients, "grpc": options.clients}
    beside = [
        _swap(folder, end, options.swap_s),
        _malform(server, end),
        _vanish(server, end),
        _sample(server.process.pid, end),
    ]
    tallies, (swaps, malformed, vanished, samples) = await load(
        server, expected, 60 * options.minutes, clients, beside
    )
    wrong = [f"{name}: {dict(t.problems)}" for name, t in tallies.items() if t.problems]
    wrong += malformed
    versions = len(tallies["grpc"].versions)
    if versions < swaps:  # The last one may come too late.
        wrong.append(f"{swaps} versions were put there, {versions} answered")
    late = samples[len(samples) // 2 :]
    figures = []
    for name, values in zip(("MB", "threads", "files"), zip(*late, strict=True), strict=True):
        third = max(len(values) // 3, 1)
        first, last = (sorted(part)[len(part) // 2] for part in (values[:third], values[-third:]))
        figures.append(f"{first:.0f} to {last:.0f} {name}")
        if last > first * (1 + FLAT) + (name != "MB") * 8:
            wrong.append(f"{name} grew from {first:.0f} to {last:.0f} over the last half")
    answers = ", ".join(f"{tally.right:,} {name}" for name, tally in tallies.items())
    print(f"right answers: {answers}; {swaps} swaps, {vanished} clients vanished")
    print(f"over the last half, medians of its first and last third: {', '.join(figures)}")
    return wrong


async def _swap(folder, end, every):
    """Puts a new version there now and then and removes old ones; returns how many."""
    swaps = 0
    while time.monotonic() + every < end:
        await asyncio.sleep(every)
        swaps += 1
        await asyncio.to_thread(shutil.copytree, folder / str(swaps), folder / ".next")
        (folder / ".next").rename(folder / str(swaps + 1))
        if swaps > 2:
            await asyncio.to_thread(shutil.rmtree, folder / str(swaps - 2))
    return swaps


async def _malform(server, end):
    """Sends every malformed request again and again; returns what was wrong."""
    wrong = set()
    while time.monotonic() < end:
        for name, answer in (await ask_malformed(server, 1)).items():
            if answer is None or answer[0] != MALFORMED[name][2]:
                wrong.add(f"{name}: {answer}, not {MALFORMED[name][2]}")
        await asyncio.sleep(1.0)
    return sorted(wrong)


async def _vanish(server, end):
    """Clients that go before they have asked, or before the answer; returns how many."""
    vanished = 0
    body = b'{"instances": ["a small red bird"]}'
    head = f"POST /v1/models/{server.name}:predict HTTP/1.1\r\nHost: gone\r\n".encode()
    whole = head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    call = "/tensorflow.serving.PredictionService/Predict"
    request = predict_request(server.name, "serving_default", text=["a small red bird"])
    while time.monotonic() < end:
        for sent in (b"", head, whole[:-9], whole):
            _, writer = await asyncio.open_connection("127.0.0.1", server.rest_port)
            writer.write(sent)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            writer.transport.abort()
            vanished += 1
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            asked = channel.unary_unary(call)(request.SerializeToString())
            await asyncio.sleep(0.01)
            asked.cancel()
        vanished += 1
        await asyncio.sleep(0.5)
    return vanished


async def _sample(pid, end):
    """Memory in MB, threads and open files of a process, now and then."""
    samples, page = [], os.sysconf("SC_PAGE_SIZE") / 2**20
    process = Path("/proc") / str(pid)
    while time.monotonic() < end:
        pages = int((process / "statm").read_text().split()[1])
        samples.append(
            (pages * page, len(os.listdir(process / "task")), len(os.listdir(process / "fd")))
        )
        await asyncio.sleep(SAMPLE_SECONDS)
    return samples


if __name__ == "__main__":
    run(main, define_flags)
