"""--config takes a preset's name or a file, from any folder."""

import json
import subprocess
import sys

import pytest

from data_pipeline.support.errors import UserError
from t2i_tf.training.flags import preset
from tests.commands import ROOT

PROGRAM = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import json
from absl import flags
from data_pipeline.support.errors import run
from t2i_tf.training.flags import define_config

def main(_):
    print(json.dumps(flags.FLAGS.config.to_dict()))

run(main, define_config)
"""


def parse(folder, *flags):
    """Parses a command line in a folder; returns the finished process."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *flags],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("flag", "name", "size"),
    [
        ("tiny", "tiny", 64),
        ("tiny.py", "tiny", 64),
        ("configs/tiny.py", "tiny", 64),
        ("cub_attngan2", "cub_attngan2", 256),
        ("cub_attngan2:tiny", "cub_attngan2_tiny", 64),
        ("configs/cub_attngan2.py:tiny", "cub_attngan2_tiny", 64),
        (f"{ROOT}/configs/tiny.py", "tiny", 64),
    ],
)
def test_presets_are_found_from_anywhere(flag, name, size, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = preset(flag)
    assert (config.name, config.data.image_size) == (name, size)


@pytest.mark.parametrize("flag", ["cub_attngan2:tiny", "configs/cub_attngan2.py:tiny"])
def test_commands_find_presets_from_anywhere_and_change_their_values(flag, tmp_path):
    done = parse(tmp_path, f"--config={flag}", "--config.loss.damsm_weight=7.5")
    assert done.returncode == 0, done.stderr
    config = json.loads(done.stdout)
    assert (config["name"], config["loss"]["damsm_weight"]) == ("cub_attngan2_tiny", 7.5)


def test_a_file_of_ones_own_goes_before_a_preset(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    head = "import ml_collections\ndef get_config():\n"
    for place in ("mine.py", "configs/tiny.py"):
        (tmp_path / place).write_text(
            f"{head}    return ml_collections.ConfigDict({{'name': '{place}'}})\n"
        )
        assert preset(place).to_dict() == {"name": place}
    assert preset("tiny").name == "tiny"


@pytest.mark.parametrize(
    "name", ["foo", "configs/foo.py", "../configs/foo.py", "sizes", "__init__", "elsewhere/tiny.py"]
)
def test_an_unknown_preset_is_told_with_those_that_there_are(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="is neither a file nor a preset: the presets are") as error:
        preset(f"{name}:tiny")
    assert name in str(error.value) and "\n" not in str(error.value)
    listed = str(error.value).rpartition(" are ")[2].split(", ")
    assert {"tiny", "tiny_damsm", "cub_attngan2"} < set(listed)
    assert not {"sizes", "__init__"} & set(listed)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("foo", "--config=foo is neither a file nor a preset: the presets are birds256, "),
        ("cub_attngan2:huge", "a preset's size is full or tiny, got 'huge'"),
    ],
)
def test_commands_tell_in_one_line_what_they_do_not_find(flag, message, tmp_path):
    done = parse(tmp_path, f"--config={flag}")
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr
