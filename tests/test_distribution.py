"""Several replicas train what one device trains, by the same command."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from tests.commands import ROOT, command

# Adam turns the rounding of gradients near zero into full steps, so the steps are kept small.
FLAGS = [
    "--config=configs/tiny.py",
    "--config.generator.filters=8",
    "--config.discriminator.filters=8",
    "--config.train.batch_size=8",
    "--config.train.steps=5",
    "--config.train.steps_per_checkpoint=1",
    "--config.train.generator_learning_rate=1e-4",
    "--config.train.discriminator_learning_rate=1e-4",
]


def start(workdir, data_dir, damsm, *flags, task=0, env=None):
    arguments = [f"--variables={workdir}-{task}.npz", *FLAGS, *flags]
    arguments += [f"--data_dir={data_dir}", f"--damsm={damsm}", f"--workdir={workdir}"]
    return subprocess.Popen(
        command("tests.train_probe", *arguments),
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def two_workers():
    """The environments of two processes on this machine that train together."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(2)]
    addresses = [f"localhost:{listener.getsockname()[1]}" for listener in sockets]
    for listener in sockets:
        listener.close()
    for task in range(2):
        place = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": task}}
        yield {"TF_CONFIG": json.dumps(place)}


def finish(process):
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output[-3000:]


def losses(workdir):
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    names = [name for name in lines[0] if name.endswith("loss") or "_loss_" in name]
    return np.array([[line[name] for name in names] for line in lines])


def gradient_norms(workdir):
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    names = [name for name in lines[0] if "gradient_norm" in name]
    return np.array([[line[name] for name in names] for line in lines])


def variables(workdir, task=0):
    with np.load(f"{workdir}-{task}.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def one_device(tiny_data, tiny_damsm, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("one") / "run"
    finish(start(workdir, tiny_data, tiny_damsm, "--strategy=one"))
    return workdir


def test_two_mirrored_devices_train_as_one(one_device, tiny_data, tiny_damsm, tmp_path):
    workdir = tmp_path / "run"
    finish(start(workdir, tiny_data, tiny_damsm, "--strategy=mirrored", "--cpu_devices=2"))
    for name, copies in variables(workdir).items():
        assert len(copies) == 2, name
        np.testing.assert_array_equal(copies[0], copies[1], err_msg=name)
    assert losses(one_device).shape == (5, 8)
    np.testing.assert_allclose(losses(workdir), losses(one_device), rtol=1e-4, atol=1e-4)
    norms = gradient_norms(one_device)
    assert norms.shape == (5, 3)
    np.testing.assert_allclose(gradient_norms(workdir)[0], norms[0], rtol=1e-3)
    # Adam's first steps have the gradients' signs, so rounding grows from step to step.
    np.testing.assert_allclose(gradient_norms(workdir), norms, rtol=1e-2)


def test_two_workers_train_as_one_device(one_device, tiny_data, tiny_damsm, tmp_path):
    workdir = tmp_path / "run"
    workers = [
        start(workdir, tiny_data, tiny_damsm, task=task, env=env)
        for task, env in enumerate(two_workers())
    ]
    for worker in workers:
        finish(worker)
    first, second = variables(workdir, 0), variables(workdir, 1)
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)
    np.testing.assert_allclose(losses(workdir), losses(one_device), rtol=1e-4, atol=1e-4)
    assert (workdir / "model" / "generator.weights.h5").is_file()


def test_a_batch_that_cannot_be_split_is_refused(tiny_data, tiny_damsm, tmp_path):
    process = start(
        tmp_path / "run",
        tiny_data,
        tiny_damsm,
        "--config.train.batch_size=7",
        "--strategy=mirrored",
        "--cpu_devices=2",
    )
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 1
    assert "error: train.batch_size=7 is no multiple of 2 replicas" in output
    assert not (tmp_path / "run").exists()


def test_what_one_worker_knows_all_workers_learn():
    program = (
        "import sys; from t2i_tf.training.machinery import replicas\n"
        "with replicas.strategy('multiworker').scope():\n"
        "    print(replicas.any_worker(sys.argv[1] == '1'), replicas.any_worker(False))\n"
        "    print(replicas.first_workers(70 + int(sys.argv[1])))"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(task)],
            cwd=ROOT,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            text=True,
        )
        for task, env in enumerate(two_workers())
    ]
    for worker in workers:
        output, _ = worker.communicate(timeout=100)
        assert output.split() == ["True", "False", "70"]
