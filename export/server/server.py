"""Starts, runs and stops both interfaces in one process."""

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

DRAIN_SECONDS = 0.5  # in which kept connections are told that they close
STOP_SECONDS = rest.ANSWER_SECONDS  # for requests in flight to end


@dataclasses.dataclass(frozen=True)
class Options:
    """How to serve.

    Attributes:
        model_name: The model's name; None for that of the folder.
        host: Address to listen on.
        rest_port: REST port; 0 for a free one.
        grpc_port: gRPC port; 0 for a free one.
        max_batch_size: Rows computed at once at most.
        batch_window_ms: How long a request waits for others.
        queue_size: Requests that may wait; more are refused.
        max_request_mb: The most MB that a request may hold.
    """

    model_name: str | None
    host: str
    rest_port: int
    grpc_port: int
    max_batch_size: int
    batch_window_ms: float
    queue_size: int
    max_request_mb: float


def serve(base_path: Path, options: Options) -> None:
    """Serves until SIGTERM or SIGINT, then answers the requests that it has accepted.

    Raises:
        UserError: No version that loads, or a port is in use.
    """
    versions = Versions(options.model_name or base_path.resolve().name, base_path)
    for port in (options.rest_port, options.grpc_port):  # Before the model, which loads slowly.
        _listen(options.host, port).close()
    versions.load_first()
    asyncio.run(_serve(versions, options))


async def _serve(versions, options):
    metrics = Metrics(versions.name)
    batcher = Batcher(
        options.max_batch_size, options.batch_window_ms / 1000, options.queue_size, metrics
    )
    max_bytes = int(options.max_request_mb * 2**20)
    listener = _listen(options.host, options.rest_port)
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
        prediction = grpc_service.PredictionService(versions, batcher, metrics)
        host = f"[{options.host}]" if ":" in options.host else options.host
        rpc, grpc_port, healthy = await grpc_service.build(
            f"{host}:{options.grpc_port}",
            max_bytes,
            prediction,
            grpc_service.ModelService(versions),
        )
        await rpc.start()
        rest_port = listener.getsockname()[1]
        print(
            f"{versions.name} version {max(versions.states)}: "
            f"REST http://{host}:{rest_port}/v1/models/{versions.name}, gRPC {host}:{grpc_port}",
            flush=True,
        )
        jobs = [batcher.work(), versions.watch()]
        await _until_signalled(web, api, rpc, healthy, listener, jobs)


async def _until_signalled(web, api, rpc, healthy, listener, jobs):
    """Serves beside the jobs, which end by a fault only.

    Once signalled, it goes on for a moment in which every answer tells that its connection closes:
    a client that has just sent a request on a kept connection would lose it otherwise.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    background = asyncio.gather(*jobs)
    background.add_done_callback(lambda _: stop.set())
    serving = asyncio.create_task(web.serve(sockets=[listener]))
    await stop.wait()
    api.closing = True
    await healthy.enter_graceful_shutdown()
    if not background.done():
        await asyncio.sleep(DRAIN_SECONDS)
    web.should_exit = True
    await asyncio.gather(serving, rpc.stop(STOP_SECONDS))
    background.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await background


class _Web(uvicorn.Server):
    """Uvicorn that leaves signals alone, which stop both interfaces."""

    def capture_signals(self) -> contextlib.AbstractContextManager:
        return contextlib.nullcontext()


def _listen(host, port):
    """A listening socket."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise UserError(f"cannot listen on port {port} of {host}: {error.strerror}") from error
