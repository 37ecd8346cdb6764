"""The documented commands, one after the other, on a few drawn birds."""

import json
import os
import shutil
import signal
import subprocess
import time

import h5py
import numpy as np
import pytest

from tests.commands import ROOT, command, run

TRAIN = ["--config=tiny", "--config.train.batch_size=4"]
STEPS = ["--config.train.steps=6", "--config.train.steps_per_checkpoint=2"]


def train_arguments(tiny_data, tiny_damsm, workdir):
    return [
        *TRAIN,
        *STEPS,
        f"--data_dir={tiny_data}",
        f"--damsm={tiny_damsm}",
        f"--workdir={workdir}",
    ]


@pytest.fixture(scope="module")
def trained(tiny_data, tiny_damsm, tmp_path_factory):
    """A run of six steps that nothing disturbed."""
    workdir = tmp_path_factory.mktemp("undisturbed")
    run("t2i_tf.train", *train_arguments(tiny_data, tiny_damsm, workdir))
    return workdir


def losses(workdir):
    """What metrics.jsonl says, without the timings."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    timings = ("seconds_per_step", "images_per_second")
    return [{k: v for k, v in json.loads(line).items() if k not in timings} for line in lines]


def weights(workdir):
    found = {}

    def collect(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = np.array(item)

    with h5py.File(workdir / "model" / "generator.weights.h5") as file:
        file.visititems(collect)
    return found


def assert_same_run(a, b):
    assert losses(a) == losses(b)
    first, second = weights(a), weights(b)
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)


def test_a_run_leaves_what_the_readme_promises(trained):
    entries = losses(trained)
    assert [entry["step"] for entry in entries] == [2, 4, 6]
    assert all(np.isfinite(list(entry.values())).all() for entry in entries)
    assert {"d_loss_0", "d_loss_1", "g_loss", "word_loss", "kl_loss"} < entries[0].keys()
    assert json.loads((trained / "config.json").read_text())["train"]["steps"] == 6
    assert [p.name for p in sorted((trained / "samples").iterdir())][-1] == "step_0000006.png"
    assert list(trained.glob("events.out.tfevents.*"))
    model = {path.name for path in (trained / "model").iterdir()}
    assert {"config.json", "vocabulary.txt", "generator.weights.h5", "README.md"} < model


def test_killed_and_restarted_equals_undisturbed(trained, tiny_data, tiny_damsm, tmp_path):
    arguments = train_arguments(tiny_data, tiny_damsm, tmp_path)
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command("t2i_tf.train", *arguments), cwd=ROOT, stdout=log, stderr=log
        )
        deadline = time.monotonic() + 300
        while not list((tmp_path / "checkpoints").glob("ckpt-2.index")):
            assert process.poll() is None, (tmp_path / "log").read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    run("t2i_tf.train", *arguments)
    assert_same_run(trained, tmp_path)


def test_a_finished_run_does_nothing_when_repeated(trained, tiny_data, tiny_damsm, tmp_path):
    workdir = tmp_path / "copy"
    shutil.copytree(trained, workdir)
    run("t2i_tf.train", *train_arguments(tiny_data, tiny_damsm, workdir))
    assert_same_run(trained, workdir)


def test_a_run_of_the_first_configs_goes_on(trained, tiny_data, tiny_damsm, tmp_path):
    """When it was begun a GAN's options were in `train`."""
    workdir = tmp_path / "copy"
    shutil.copytree(trained, workdir)
    config = json.loads((workdir / "config.json").read_text())
    today = set(config["loss"])
    config["train"] |= config.pop("loss")
    (workdir / "config.json").write_text(json.dumps(config))
    arguments = [*train_arguments(tiny_data, tiny_damsm, workdir), "--config.train.steps=8"]
    run("t2i_tf.train", *arguments)
    assert [entry["step"] for entry in losses(workdir)] == [2, 4, 6, 8]
    assert losses(workdir)[:3] == losses(trained)
    config = json.loads((workdir / "config.json").read_text())
    assert set(config["loss"]) == today and not today & set(config["train"])


def test_another_config_in_the_same_folder_is_refused(trained, tiny_data, tiny_damsm):
    arguments = [*train_arguments(tiny_data, tiny_damsm, trained), "--config.train.beta_1=0.1"]
    done = subprocess.run(
        command("t2i_tf.train", *arguments), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "holds a run of another config (it differs in train.beta_1)" in done.stderr


def test_from_the_run_to_a_picture_and_a_saved_model(trained, tmp_path):
    run(
        "t2i_tf.generate",
        f"--model_dir={trained}",
        "--text=a bird with a red crown, white belly and black wings",
        "--num_images=2",
        "--attention",
        f"--output_dir={tmp_path / 'pictures'}",
    )
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 4
    run("export.saved_model", f"--model_dir={trained}", f"--output_dir={tmp_path / 'served'}")
    assert (tmp_path / "served" / "1" / "saved_model.pb").is_file()
