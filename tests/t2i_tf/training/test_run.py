import subprocess
import sys
from pathlib import Path

import pytest

from configs import tiny, tiny_damsm
from data_pipeline.support.errors import UserError
from t2i_tf.networks import build
from t2i_tf.training import loop as training

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 1),
        ("steps", 0),
        ("steps_per_checkpoint", 0),
        ("steps_per_execution", 0),
        ("checkpoints_per_sample", 0),
        ("generator_learning_rate", -1.0),
        ("discriminator_learning_rate", float("nan")),
    ],
)
def test_numbers_that_cannot_train_are_refused(name, value):
    config = tiny.get_config()
    config.train[name] = value
    with pytest.raises(UserError, match=rf"train\.{name}={value} must be at least"):
        training.check(config)


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("discriminator", "norm", "foo"),
        ("generator", "attention", "foo"),
        ("generator", "image_heads", "foo"),
        ("train", "adversarial_loss", "foo"),
        ("train", "diffaugment", ("foo",)),
        ("train", "generator_steps", 0),
        ("train", "ema_decay", 1.5),
    ],
)
def test_options_that_do_not_exist_are_refused(section, name, value):
    config = tiny.get_config()
    config[section][name] = value
    encoders = build.text_encoder(config, 9), build.image_encoder(config)
    with pytest.raises(UserError, match=f"^the config does not fit: {name} must be .*, got .*$"):
        build.attngan(config, encoders)


def test_replicas_hold_whole_groups_of_twins(monkeypatch):
    """Or the captions that have a twin would be others than one device's."""
    config = tiny.get_config()
    config.train.batch_size = 12
    training.check(config)
    monkeypatch.setattr(training.replicas, "count", lambda: 2)
    with pytest.raises(UserError, match="replicas of a multiple of 4 images, not 6: change"):
        training.check(config)


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "run").touch()
    with (
        pytest.raises(UserError, match="run cannot be made: File exists"),
        training.run_in(tmp_path / "run", tiny_damsm.get_config()),
    ):
        pass


def test_only_one_process_trains_in_a_folder(tmp_path):
    config = tiny_damsm.get_config()
    with (
        training.run_in(tmp_path, config),
        pytest.raises(UserError, match=f"another process is writing {tmp_path}"),
        training.run_in(tmp_path, config),
    ):
        pass
    with training.run_in(tmp_path, config):  # It is free again.
        pass


def test_an_unknown_value_on_the_command_line_is_named(tmp_path):
    command = [sys.executable, "-m", "t2i_tf.pretrain_damsm", "--config=configs/tiny_damsm.py"]
    command += [f"--data_dir={tmp_path}", f"--workdir={tmp_path}", "--config.train.foo=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: the config has no value \"'foo'\""


def test_workers_at_different_steps_do_not_train_together(monkeypatch, tmp_path):
    monkeypatch.setattr(training.replicas, "of_first_worker", lambda number: 24)
    monkeypatch.setattr(training.replicas, "any_worker", lambda truth: truth)
    training._agree(24, tmp_path)
    with pytest.raises(UserError, match="this worker is at step 18, the first at step 24"):
        training._agree(18, tmp_path)
