"""Makes training batches for other machines: one machine of tf.data's service.

    python -m data_pipeline.serve --port=5000 --host=one    # on the machine `one`
    python -m data_pipeline.serve --port=5000 --host=two    # on the machine `two`
    python -m t2i_tf.train --data_service=grpc://one:5000,grpc://two:5000 ...

All machines see the data set under the same path. The connections are neither encrypted nor
authenticated, and whoever reaches a port can run TensorFlow graphs there: keep them in a private
network.
"""

import signal
import socket

import tensorflow as tf
from absl import flags

from data_pipeline.support.errors import UserError, run

_SERVICE = tf.data.experimental.service


def _define_flags() -> None:
    flags.DEFINE_string("host", "localhost", "The name by which trainers reach this machine.")
    flags.DEFINE_integer("port", 5000, "Port of the service; the next one is taken, too.", 1, 65534)


def _main(_: list[str]) -> None:
    host, port = flags.FLAGS.host, flags.FLAGS.port
    for number in (port, port + 1):
        try:  # gRPC itself would share a port with a service that is there already.
            with socket.socket() as free:
                free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                free.bind(("", number))
        except OSError as error:
            raise UserError(f"cannot serve at port {number}: {error.strerror}") from error
    try:
        dispatcher = _SERVICE.DispatchServer(_SERVICE.DispatcherConfig(port=port))
        worker = _SERVICE.WorkerServer(
            _SERVICE.WorkerConfig(
                dispatcher_address=f"localhost:{port}",
                worker_address=f"{host}:{port + 1}",
                port=port + 1,
            )
        )
    except tf.errors.OpError as error:
        raise UserError(f"cannot serve at port {port}: {error.message.splitlines()[0]}") from error
    print(f"serving at grpc://{host}:{port}", flush=True)
    while dispatcher and worker:
        signal.pause()  # SIGTERM and Ctrl-C end it.


def command() -> None:
    """The command line."""
    run(_main, _define_flags)


if __name__ == "__main__":
    command()
