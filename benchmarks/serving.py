"""The local server under load: 200 clients, on the bundled model; every picture is compared.

    python -m benchmarks.serving

(`--precision=bfloat16` takes the SavedModel of that precision.)
First clients of both protocols ask at once for a minute, while others send malformed and slow
requests, a new version is dropped in, and at last the server is told to stop. Then each protocol
alone, with batching and without. The last line is JSON.
"""

import asyncio
import json
import signal
import statistics
import tempfile
from pathlib import Path

from absl import flags

from benchmarks import load, malformed
from data_pipeline.support.errors import UserError, run
from export import saved_model

WARM_UP = 2  # seconds


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_integer("seconds", 60, "How long all ask at once.", 1)
    flags.DEFINE_integer("ratio_seconds", 12, "How long each protocol is measured.", 1)
    flags.DEFINE_integer("clients", 200, "How many clients.", 2)
    flags.DEFINE_enum(
        "precision",
        saved_model.PRECISIONS[0],
        saved_model.PRECISIONS,
        "Of the SavedModel.",
    )


def main(_: list[str]) -> None:
    """Measures the server and prints the figures."""
    options = flags.FLAGS
    clients = options.clients
    with tempfile.TemporaryDirectory() as folder:
        base_path = Path(folder) / "birds"
        saved_model.export("bundled:64", base_path, precision=options.precision)
        expected = load.Expected(base_path / "1")
        result = {"clients": clients, **endure(base_path, expected, clients, options.seconds)}
        for protocol in ("rest", "grpc"):
            batched, alone = (
                throughput(base_path, expected, {protocol: clients}, options.ratio_seconds, size)
                for size in (32, 1)
            )
            result[f"{protocol}_images_per_second"] = batched
            result[f"{protocol}_without_batching"] = alone
            print(f"{protocol}: {batched:.0f} images/s, without batching {alone:.0f}")
    print(json.dumps({key: _rounded(value) for key, value in result.items()}))


def endure(base_path: Path, expected: load.Expected, clients: int, seconds: int) -> dict:
    """Asks by both protocols at once beside all that may go wrong.

    Raises:
        UserError: Something did go wrong.
    """
    halves = {"rest": clients // 2, "grpc": clients - clients // 2}
    with load.Server(base_path) as server:

        async def all_at_once():
            beside = [
                malformed.ask_malformed(server, 10),
                malformed.ask_slowly(server),
                load.replace(server, base_path),
            ]
            return await load.load(server, expected, seconds, halves, beside)

        tallies, (answers, slow, _) = asyncio.run(all_at_once())
        stopped = asyncio.run(stop(server, expected, clients))
    problems = {name: dict(t.problems) for name, t in tallies.items() if t.problems}
    statuses = {name: status for name, (_, _, status) in malformed.MALFORMED.items()}
    wrong = {name: answer for name, answer in answers.items() if answer != (statuses[name], 10)}
    versions = set(tallies["grpc"].versions)
    if problems or wrong or slow != malformed.SLOW or versions != {1, 2} or stopped != (0, 0):
        raise UserError(f"{problems=} {wrong=} {slow=} {versions=} {stopped=}")
    latencies = [second for tally in tallies.values() for second in tally.latencies]
    right = sum(tally.right for tally in tallies.values())
    print(
        f"{clients} clients, {seconds} s: {right} right, 0 wrong, 0 lost; "
        f"{sum(n for _, n in answers.values())} malformed requests beside them refused as they "
        "should be; version 2 taken up, nothing lost by the stop"
    )
    return {
        "right": right,
        "median_s": statistics.median(latencies),
        "p95_s": statistics.quantiles(latencies, n=20)[-1],
    }


async def stop(server: load.Server, expected: load.Expected, clients: int) -> tuple[int, int]:
    """Stops the server while all clients wait; returns its exit code and how many lost out."""
    connections = [
        await asyncio.open_connection("127.0.0.1", server.rest_port) for _ in range(clients)
    ]
    body = json.dumps({"instances": [expected.captions[0]]}).encode()
    waiting = [
        asyncio.create_task(load.post(*connection, server.name, body)) for connection in connections
    ]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    server.process.send_signal(signal.SIGTERM)
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    code = await asyncio.to_thread(server.process.wait, 60)
    return code, sum(isinstance(a, Exception) or a[0] != 200 for a in answers)


def throughput(
    base_path: Path,
    expected: load.Expected,
    clients: dict[str, int],
    seconds: int,
    max_batch_size: int,
) -> float:
    """Counts the right answers a second to so many clients of one protocol."""
    (protocol,) = clients
    with load.Server(base_path, f"--max_batch_size={max_batch_size}") as server:
        asyncio.run(load.load(server, expected, WARM_UP, clients))
        tallies, _ = asyncio.run(load.load(server, expected, seconds, clients))
    if tallies[protocol].problems:
        raise UserError(f"{protocol}: {dict(tallies[protocol].problems)}")
    return tallies[protocol].right / tallies[protocol].seconds


def _rounded(value):
    return round(value, 3) if isinstance(value, float) else value


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
