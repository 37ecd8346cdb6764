"""Serves a SavedModel with TensorFlow Serving's REST and gRPC interfaces, on a laptop.

    python -m export.serve --saved_model_dir=served/birds
    curl http://127.0.0.1:8501/v1/models/birds:predict -d '{"instances": ["a small red bird"]}'

The newest version below --saved_model_dir answers; a newer one that appears there is taken up
without a pause. Requests that come in together are computed together. SIGTERM and Ctrl-C end the
server once what it has accepted is answered. For production, see export/serving.
"""

from pathlib import Path

from absl import flags

from data_pipeline.support.errors import run
from export.server import server


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string(
        "saved_model_dir",
        None,
        "Folder of versions, as export.saved_model writes it.",
        required=True,
    )
    flags.DEFINE_string("model_name", None, "The model's name; the folder's if left out.")
    flags.DEFINE_string("host", "127.0.0.1", "Address to listen on; 0.0.0.0 for all.")
    flags.DEFINE_integer("rest_port", 8501, "REST port; 0 for a free one.", 0, 65535)
    flags.DEFINE_integer("grpc_port", 8500, "gRPC port; 0 for a free one.", 0, 65535)
    flags.DEFINE_integer("max_batch_size", 32, "Rows computed at once; 1: no batching.", 1)
    flags.DEFINE_float("batch_window_ms", 2.0, "How long a request waits for others.", 0.0)
    flags.DEFINE_integer("queue_size", 256, "Requests that may wait; more are refused.", 1)
    flags.DEFINE_float("max_request_mb", 4.0, "The most MB that a request may hold.", 0.001, 1024)


def main(_: list[str]) -> None:
    """Serves what the flags name."""
    options = flags.FLAGS
    server.serve(
        Path(options.saved_model_dir),
        server.Options(
            model_name=options.model_name,
            host=options.host,
            rest_port=options.rest_port,
            grpc_port=options.grpc_port,
            max_batch_size=options.max_batch_size,
            batch_window_ms=options.batch_window_ms,
            queue_size=options.queue_size,
            max_request_mb=options.max_request_mb,
        ),
    )


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
