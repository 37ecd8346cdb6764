import subprocess
import sys
from pathlib import Path

import pytest

from configs import tiny_damsm
from data_pipeline.errors import UserError
from t2i_tf import training

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "value"), [("batch_size", 1), ("steps", 0), ("steps_per_checkpoint", 0)]
)
def test_numbers_that_cannot_train_are_refused(name, value):
    config = tiny_damsm.get_config()
    config.train[name] = value
    with pytest.raises(UserError, match=rf"train\.{name}={value} must be at least"):
        training.check(config)


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(UserError, match="run cannot be made: File exists"):
        training.prepare(tiny_damsm.get_config(), tmp_path / "run")


def test_an_unknown_value_on_the_command_line_is_named(tmp_path):
    command = [sys.executable, "-m", "t2i_tf.pretrain_damsm", "--config=configs/tiny_damsm.py"]
    command += [f"--data_dir={tmp_path}", f"--workdir={tmp_path}", "--config.train.foo=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: the config has no value \"'foo'\""
