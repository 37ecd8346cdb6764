"""`Run`: a training run's folder."""

import json
import types

import pytest

from configs import tiny, tiny_damsm
from data_pipeline.support.errors import UserError
from t2i_tf.models import model_directory
from t2i_tf.training import run as training
from t2i_tf.training.run import Run
from tests.commands import refused

DATA = types.SimpleNamespace(fingerprint="words-pictures", data_dir="data")


def opened(workdir, config=None):
    return Run(config or tiny_damsm.get_config(), workdir, DATA).opened()


def write_config(workdir, config):
    (workdir / model_directory.CONFIG).write_text(json.dumps(config))


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "run").touch()
    with (
        pytest.raises(UserError, match="run cannot be made: File exists"),
        opened(tmp_path / "run"),
    ):
        pass


def test_only_one_process_trains_in_a_folder(tmp_path):
    with (
        opened(tmp_path),
        pytest.raises(UserError, match=f"another process is writing {tmp_path}"),
        opened(tmp_path),
    ):
        pass
    with opened(tmp_path):  # It is free again.
        pass


def test_more_steps_of_the_same_config_go_on(tmp_path):
    config = tiny_damsm.get_config().to_dict()
    config["train"]["steps"] = 7
    write_config(tmp_path, config)
    with opened(tmp_path):
        pass


def test_another_config_is_refused_by_the_names_that_differ(tmp_path):
    config = tiny.get_config().to_dict()
    config["seed"] += 1
    config["loss"]["ema_decay"] = 0.5
    write_config(tmp_path, config)
    message = r"holds a run of another config \(it differs in loss.ema_decay, seed\); choose anoth"
    with pytest.raises(UserError, match=message), opened(tmp_path, tiny.get_config()):
        pass


def in_yesterdays_sections(config):
    """A GAN's config as its runs wrote it when the options were in `train`."""
    config = json.loads(json.dumps(config.to_dict()))
    config["train"] |= config.pop("loss")
    return config


def test_a_run_from_before_the_section_of_losses_goes_on(tmp_path):
    config = tiny.get_config()
    config.loss.diffaugment = ("color",)
    old = in_yesterdays_sections(config)
    assert "loss" not in old and old["train"]["diffaugment"] == ["color"]
    write_config(tmp_path, old)
    with opened(tmp_path, config):
        pass


def test_an_old_run_of_other_options_is_refused_all_the_same(tmp_path):
    old = in_yesterdays_sections(tiny.get_config())
    old["train"]["kl_weight"] = 7.0
    write_config(tmp_path, old)
    with (
        pytest.raises(UserError, match=r"it differs in loss\.kl_weight\)"),
        opened(tmp_path, tiny.get_config()),
    ):
        pass


def test_an_old_run_that_lacks_options_is_told_in_one_line(tmp_path):
    old = in_yesterdays_sections(tiny.get_config())
    del old["train"]["diversity_limit"]
    write_config(tmp_path, old)
    with (
        pytest.raises(UserError, match=r"it differs in loss\.diversity_limit\)"),
        opened(tmp_path, tiny.get_config()),
    ):
        pass


def test_an_unknown_value_on_the_command_line_is_named(tmp_path):
    flags = ["--config=configs/tiny_damsm.py", "--config.train.foo=1"]
    flags += [f"--data_dir={tmp_path}", f"--workdir={tmp_path}"]
    line = refused("t2i_tf.pretrain_damsm", *flags)
    assert line == "error: the config has no value \"'foo'\""


def test_workers_at_different_steps_do_not_train_together(monkeypatch, tmp_path):
    monkeypatch.setattr(training.replicas, "first_workers", lambda number: 24)
    monkeypatch.setattr(training.replicas, "any_worker", lambda truth: truth)
    run = Run(tiny_damsm.get_config(), tmp_path, None)
    run._agree(24)
    with pytest.raises(UserError, match="this worker is at step 18, the first at step 24"):
        run._agree(18)


def test_other_data_is_refused(tmp_path):
    config = tiny_damsm.get_config()
    with Run(config, tmp_path, DATA).opened():
        write_config(tmp_path, config.to_dict())
    other = types.SimpleNamespace(fingerprint="words-others", data_dir="other")
    with (
        pytest.raises(UserError, match="a run on other data than other"),
        Run(config, tmp_path, other).opened(),
    ):
        pass
    (tmp_path / "data.fingerprint").unlink()  # A run of an older version.
    with Run(config, tmp_path, other).opened():
        pass
