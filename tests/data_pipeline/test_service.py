import contextlib
import socket
import subprocess

import pytest
import tensorflow as tf

from data_pipeline.dataset import Split
from data_pipeline.records import index_file
from data_pipeline.service import DataService
from data_pipeline.support.errors import UserError
from tests.commands import ROOT, command, refused, run

OPTIONS = dict(batch_size=4, image_sizes=(32, 64), max_words=8, seed=3)


def free_port():
    """A port that is free, as is the next one."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("localhost", 0))
            port = one.getsockname()[1]
            with contextlib.suppress(OSError):
                two.bind(("localhost", port + 1))
                return port


@contextlib.contextmanager
def serving(port):
    """A process of `data_pipeline.serve`; `ready` waits for it."""
    process = subprocess.Popen(
        command("data_pipeline.serve", f"--port={port}"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ready(process):
    assert process.stdout.readline().startswith("serving at grpc://localhost:")


@pytest.fixture(scope="module")
def service():
    """The addresses of two machines."""
    ports = [free_port(), free_port()]
    with contextlib.ExitStack() as stack:
        for process in [stack.enter_context(serving(port)) for port in ports]:
            ready(process)
        yield [f"grpc://localhost:{port}" for port in ports]


def batches(split, count, **options):
    return list(split.train_batches(**OPTIONS, **options).take(count).as_numpy_iterator())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"start": 20, "share": (4, 4, 8), "exchange_words": [["red", "blue", "black"]]},
    ],
)
def test_two_workers_make_the_batches_of_one_process_in_order(service, tiny_data, options):
    split = Split(tiny_data, "train")
    elsewhere = batches(split, 7, service=DataService(service), **options)
    tf.nest.map_structure(
        lambda one, other: tf.debugging.assert_equal(one, other),
        elsewhere,
        batches(split, 7, **options),
    )


def test_a_run_trains_as_it_does_without_the_service(service, tiny_data, tiny_damsm, tmp_path):
    run(
        "t2i_tf.pretrain_damsm",
        *("--config=configs/tiny_damsm.py", "--config.train.batch_size=4"),
        *("--config.train.steps=2", "--config.train.steps_per_checkpoint=1"),
        *(
            f"--data_dir={tiny_data}",
            f"--workdir={tmp_path}",
            f"--data_service={','.join(service)}",
        ),
    )
    weights = "model/text_encoder.weights.h5"
    assert (tmp_path / weights).read_bytes() == (tiny_damsm / weights).read_bytes()


def test_addresses_at_which_nothing_serves_are_refused():
    for address in ("localhost:5000", "grpc://localhost", "grpc://:5000", "grpc://localhost:x"):
        with pytest.raises(UserError, match="expected grpc://host:port"):
            DataService([address])
    address = f"grpc://localhost:{free_port()}"
    with pytest.raises(UserError, match=f"nothing answers at {address}"):
        DataService([address])


def test_a_data_set_without_its_index_is_refused(service, tiny_data, tmp_path):
    for path in tiny_data.iterdir():
        (tmp_path / path.name).symlink_to(path)
    split = Split(tmp_path, "train")
    index_file(next(tmp_path.glob("*train.tfrecord-00000*"))).unlink()
    with pytest.raises(UserError, match="index-00000-of-00002: no such file; the data service"):
        batches(split, 1, service=DataService(service))


def test_a_machine_that_begins_again_never_gives_a_wrong_batch(tiny_data):
    port = free_port()
    split = Split(tiny_data, "train")
    with serving(port) as process:
        ready(process)
        service = DataService([f"grpc://localhost:{port}"])
        iterator = iter(split.train_batches(**OPTIONS, service=service))
        next(iterator)
    with serving(port) as process, pytest.raises(tf.errors.OpError):
        ready(process)
        for _ in range(1000):
            next(iterator)


def test_a_port_in_use_is_one_line():
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("localhost", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused("data_pipeline.serve", f"--port={port}")
    assert line == f"error: cannot serve at port {port}: Address already in use"
