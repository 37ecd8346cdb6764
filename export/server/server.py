"""Both interfaces in one process: start, run, stop."""

import asyncio
import contextlib
import dataclasses
import signal
import socket
from pathlib import Path

import uvicorn

from data_pipeline.support.errors import UserError
from export.server import grpc_service, rest
from export.server.batching import Batcher
from export.server.metrics import Metrics
from export.server.models import Versions

STOP_SECONDS = rest.ANSWER_SECONDS  # What is in flight has this long to end.


@dataclasses.dataclass(frozen=True)
class Options:
    """The flags of `export.serve`, which explains them."""

    model_name: str | None
    host: str
    rest_port: int
    grpc_port: int
    max_batch_size: int
    batch_window_ms: float
    queue_size: int
    max_request_mb: float


def serve(base_path: Path, options: Options) -> None:
    """Serves until SIGTERM or SIGINT, then answers what it has accepted.

    Raises:
        UserError: No version that loads, or a port is in use.
    """
    versions = Versions(options.model_name or base_path.resolve().name, base_path)
    for flag in ("rest_port", "grpc_port"):  # Before the model is loaded, which takes long.
        _listen(options, flag).close()
    versions.load_first()
    asyncio.run(_serve(versions, options))


async def _serve(versions, options):
    metrics = Metrics(versions.name)
    batcher = Batcher(
        options.max_batch_size, options.batch_window_ms / 1000, options.queue_size, metrics
    )
    max_bytes = int(options.max_request_mb * 2**20)
    listener = _listen(options, "rest_port")
    with contextlib.closing(listener):
        api = rest.RestApi(versions, batcher, metrics, max_bytes)
        web = _Web(
            uvicorn.Config(
                rest.application(api, metrics),
                http=rest.PromptProtocol,
                ws="none",
                lifespan="off",
                log_level="critical",
                access_log=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        services = grpc_service.PredictionService(versions, batcher, metrics)
        host = f"[{options.host}]" if ":" in options.host else options.host
        rpc, grpc_port = grpc_service.build(
            f"{host}:{options.grpc_port}", max_bytes, services, grpc_service.ModelService(versions)
        )
        await rpc.start()
        rest_port = listener.getsockname()[1]
        print(
            f"{versions.name} version {max(versions.states)}: "
            f"REST http://{host}:{rest_port}/v1/models/{versions.name}, gRPC {host}:{grpc_port}",
            flush=True,
        )
        await _until_signalled(web, rpc, listener, [batcher.work(), versions.watch()])


async def _until_signalled(web, rpc, listener, jobs):
    """Serves beside the jobs, which end by a fault only."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    background = asyncio.gather(*jobs)
    background.add_done_callback(lambda _: stop.set())
    serving = asyncio.create_task(web.serve(sockets=[listener]))
    await stop.wait()
    web.should_exit = True
    await asyncio.gather(serving, rpc.stop(STOP_SECONDS))
    background.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await background


class _Web(uvicorn.Server):
    """Uvicorn that leaves signals alone, which stop both interfaces."""

    def capture_signals(self):
        return contextlib.nullcontext()


def _listen(options, flag):
    """A socket on one of the ports."""
    address = options.host, getattr(options, flag)
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server(address, family=family, backlog=2048)
    except OSError as error:
        raise UserError(
            f"cannot listen on --host={address[0]} --{flag}={address[1]}: {error.strerror}"
        ) from error
