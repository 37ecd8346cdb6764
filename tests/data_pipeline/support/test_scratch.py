import os
import signal
import subprocess
import sys

import pytest

from data_pipeline.support.errors import UserError
from data_pipeline.support.scratch import appearing, scratch
from tests.commands import ROOT


def test_a_folder_appears_only_when_complete(tmp_path):
    target = tmp_path / "data" / "birds"
    with appearing(target) as folder:
        (folder / "a.txt").write_text("a")
        assert not target.exists()
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["birds"]
    assert (target / "a.txt").read_text() == "a"


def test_what_a_killed_process_left_is_removed(tmp_path):
    left = tmp_path / ".birds.partial" / "birds" / "images"
    left.mkdir(parents=True)
    (left / "half.jpg").touch()
    with appearing(tmp_path / "birds") as folder:
        assert not list(folder.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["birds"]


def test_two_processes_do_not_write_the_same(tmp_path):
    with scratch(tmp_path / "birds", "drawn") as folder:
        (folder / "a.txt").touch()
        with (
            pytest.raises(UserError, match=r"another process is writing .*birds; wait for it"),
            scratch(tmp_path / "birds", "drawn"),
        ):
            pass
        assert (folder / "a.txt").exists()
    assert not list(tmp_path.iterdir())


def fill(folder, text):
    (folder / "a.txt").write_text(text)


def test_a_full_folder_stays_unless_it_is_to_be_replaced(tmp_path):
    target = tmp_path / "model"
    for text in ("first", "second"):
        with appearing(target, replace=True) as folder:
            fill(folder, text)
            assert not target.exists() or (target / "a.txt").read_text() == "first"
        assert (target / "a.txt").read_text() == text
    with pytest.raises(OSError), appearing(target) as folder:
        fill(folder, "third")
    assert (target / "a.txt").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_error_leaves_the_older_folder(tmp_path):
    target = tmp_path / "model"
    with appearing(target) as folder:
        fill(folder, "first")
    with pytest.raises(RuntimeError, match="half"), appearing(target, replace=True) as folder:
        fill(folder, "second")
        raise RuntimeError("half")
    assert (target / "a.txt").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["model", "replaced", "partial"])
def test_any_name_may_be_replaced(name, tmp_path):
    for text in ("first", "second"):
        with appearing(tmp_path / name, replace=True) as folder:
            fill(folder, text)
    assert (tmp_path / name / "a.txt").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == [name]


KILLED_BETWEEN_THE_RENAMES = """
import os, pathlib, signal, sys
from data_pipeline.support.scratch import appearing

def killed(source, target, *, replace=os.replace):
    replace(source, target)
    if pathlib.Path(source) == model:
        os.kill(os.getpid(), signal.SIGKILL)

model = pathlib.Path(sys.argv[1])
os.replace = killed
with appearing(model, replace=True) as folder:
    (folder / "a.txt").write_text("second")
"""


def test_a_kill_between_the_renames_loses_nothing(tmp_path):
    target = tmp_path / "model"
    with appearing(target) as folder:
        fill(folder, "first")
    program = [sys.executable, "-c", KILLED_BETWEEN_THE_RENAMES, str(target)]
    done = subprocess.run(program, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not target.exists()
    with pytest.raises(RuntimeError, match="third"), appearing(target, replace=True):
        assert (target / "a.txt").read_text() == "first"
        raise RuntimeError("third")
    assert (target / "a.txt").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_stop_between_the_renames_puts_the_older_folder_back(tmp_path, monkeypatch):
    """A signal ends commands by SystemExit, anywhere."""
    target, replace = tmp_path / "model", os.replace
    with appearing(target) as folder:
        fill(folder, "first")

    def stopped(source, destination):
        replace(source, destination)
        if source == target:
            raise SystemExit(143)

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(SystemExit), appearing(target, replace=True) as folder:
        fill(folder, "second")
    assert (target / "a.txt").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
