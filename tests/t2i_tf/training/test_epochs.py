"""A schedule in epochs: `in_steps` counts its steps, commands take it, and runs resume with it."""

import json
import subprocess
import sys
import types

import pytest
from absl import flags
from ml_collections.config_flags import config_flags

from configs import coco_damsm, cub_attngan2, cub_damsm, tiny, tiny_damsm
from data_pipeline.support.errors import UserError
from t2i_tf.models import model_directory
from t2i_tf.training.flags import _PresetParser
from t2i_tf.training.options import check, in_steps
from t2i_tf.training.run import Run
from tests.commands import ROOT, command


@pytest.fixture
def parsed(monkeypatch):
    """The config of a command line."""

    def parse(*arguments):
        values = flags.FlagValues()
        flag = config_flags.DEFINE_config_file("config", None, flag_values=values)
        values["config"].parser = _PresetParser("config")
        monkeypatch.setattr(sys, "argv", ["", *arguments])
        values(sys.argv)
        return flag.value

    return parse


DATA = types.SimpleNamespace(fingerprint="words-pictures", data_dir="data")


def opened(workdir, config):
    return Run(config, workdir, DATA).opened()


def test_another_batch_size_keeps_the_epochs():
    config = cub_attngan2.get_config()
    config.train.batch_size = 80
    train = in_steps(config, 8855).train
    assert (train.steps, train.steps_per_checkpoint, train.decay_start) == (66000, 110, 66000)
    assert "epochs" not in train


def test_the_config_itself_stays_and_stays_locked():
    config = coco_damsm.get_config()
    resolved = in_steps(config, 82783)
    assert config.train.steps is None and config.train.epochs == 100
    assert resolved.is_locked and resolved.train.is_locked
    before, after = config.to_dict(), resolved.to_dict()
    del before["train"], after["train"]
    assert before == after
    assert in_steps(resolved, 1) == resolved


def test_numbers_that_are_given_win():
    config = cub_damsm.get_config()
    config.train.update(steps=368, decay_steps=7, adam_restart_steps=0)
    train = in_steps(config, 8855).train
    assert (train.steps, train.decay_steps, train.adam_restart_steps) == (368, 7, 0)
    assert train.steps_per_checkpoint == 184


def test_a_run_shorter_than_an_epoch_is_one_interval():
    config = cub_attngan2.get_config()
    config.train.steps = 2
    assert in_steps(config, 8855).train.steps_per_checkpoint == 2


def test_presets_in_steps_need_no_epoch():
    for preset in (tiny, tiny_damsm):
        assert in_steps(preset.get_config(), 3) == preset.get_config()


@pytest.mark.parametrize(
    ("change", "images", "message"),
    [
        ({}, 19, "train.batch_size=20, but the data set has 19 images to train on: an epoch"),
        ({"epochs": 0}, 8855, "train.epochs=0 must be at least 1"),
        ({"steps": 500}, 8855, "train.steps=500 is no multiple of train.steps_per_checkpoint=442"),
        ({"steps_per_execution": 5}, 8855, "train.steps_per_checkpoint=442 is no multiple of"),
    ],
)
def test_what_makes_no_schedule_is_refused(change, images, message):
    config = cub_attngan2.get_config()
    config.train.update(change)
    with pytest.raises(UserError) as error:
        check(config)
        in_steps(config, images)
    assert str(error.value).startswith(message)


def test_neither_steps_nor_epochs_is_refused():
    config = cub_attngan2.get_config().unlock()
    del config.train["epochs"]
    with pytest.raises(UserError, match="neither train.steps nor train.epochs"):
        in_steps(config, 8855)


def test_the_command_line_sets_epochs_or_steps(parsed):
    train = in_steps(parsed("--config=cub_attngan2", "--config.train.epochs=3"), 8855).train
    assert (train.steps, train.steps_per_checkpoint) == (1326, 442)
    arguments = ("--config.train.steps=2", "--config.train.decay_start=1")
    train = in_steps(parsed("--config=cub_attngan2", *arguments), 8855).train
    assert (train.steps, train.decay_start) == (2, 1)


def test_a_preset_in_steps_has_no_epochs(tmp_path):
    arguments = ["--config=tiny_damsm", "--config.train.epochs=3"]
    done = subprocess.run(
        command("t2i_tf.pretrain_damsm", *arguments, "--data_dir=none", f"--workdir={tmp_path}"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: the config has no value \"'epochs'\""


def test_more_epochs_of_the_same_config_go_on(tmp_path):
    config = cub_attngan2.get_config()
    model_directory.write_config(tmp_path / model_directory.CONFIG, in_steps(config, 8855))
    config.train.epochs = 700
    with opened(tmp_path, in_steps(config, 8855)):
        pass
    config.train.decay_start = 1000
    message = r"another config \(it differs in train.decay_start\)"
    with pytest.raises(UserError, match=message), opened(tmp_path, in_steps(config, 8855)):
        pass


def as_before_epochs(config, images):
    """A run's config as it was written when presets said steps, and DAMSM had no choice."""
    values = json.loads(in_steps(config, images).to_json())
    for name in ("adam_restart_steps", "trunk_statistics"):
        values["train"].pop(name, None)
    return values


@pytest.mark.parametrize("preset", [cub_attngan2, tiny, tiny_damsm])
def test_a_run_from_before_epochs_goes_on(preset, tmp_path):
    old = as_before_epochs(preset.get_config(), 8855)
    (tmp_path / model_directory.CONFIG).write_text(json.dumps(old))
    with opened(tmp_path, in_steps(preset.get_config(), 8855)):
        pass


def test_an_old_damsm_goes_on_in_the_way_that_it_began(tmp_path):
    old = as_before_epochs(cub_damsm.get_config(), 8855)
    (tmp_path / model_directory.CONFIG).write_text(json.dumps(old))
    config = cub_damsm.get_config()
    message = r"differs in train.adam_restart_steps, train.trunk_statistics\)"
    with pytest.raises(UserError, match=message), opened(tmp_path, in_steps(config, 8855)):
        pass
    config.train.update(adam_restart_steps=0, trunk_statistics="running")
    with opened(tmp_path, in_steps(config, 8855)):
        pass


def test_the_trunk_s_statistics_are_checked():
    config = cub_damsm.get_config()
    config.train.trunk_statistics = "foo"
    with pytest.raises(UserError, match="train.trunk_statistics=foo must be one of batch, running"):
        check(config)
    config = tiny_damsm.get_config()
    config.train.trunk_statistics = "running"
    with pytest.raises(UserError, match="image_encoder.kind=small starts without any"):
        check(config)
