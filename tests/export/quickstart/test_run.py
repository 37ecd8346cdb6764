import json
import subprocess

import pytest

from data_pipeline.support.errors import UserError
from export.quickstart import run as quickstart
from export.quickstart.steps import Step, steps


class Machine:
    """Stands in for the processes: writes each step's output, or fails."""

    def __init__(self, folder):
        self.folder = folder
        self.ran = []
        self.failing = None

    def run(self, command, **_):
        step = next(step for step in steps(True) if step.command[0] == command[2])
        if step.command[0] == "export.saved_model":
            name = command[-3].rsplit("/", 1)[1]
            step = next(step for step in steps(True) if step.name == name)
        self.ran.append(step.name)
        if step.name != self.failing:
            path = self.folder / step.output
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")
        return subprocess.CompletedProcess(command, int(step.name == self.failing))


NAMES = [step.name for step in steps(True)]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    machine = Machine(tmp_path)
    monkeypatch.setattr(quickstart.subprocess, "run", machine.run)
    return machine


def repeat(machine):
    machine.ran.clear()
    quickstart.quickstart(machine.folder, short=True)
    return machine.ran


def test_steps_run_in_order_and_once(machine):
    assert repeat(machine) == NAMES
    assert repeat(machine) == []
    timings = json.loads((machine.folder / "timings.json").read_text())
    assert list(timings) == NAMES and all(entry["done"] for entry in timings.values())


def test_a_failed_step_is_repeated_and_what_follows(machine):
    machine.failing = "gan"
    with pytest.raises(UserError, match="step 'gan' ended with exit code 1"):
        repeat(machine)
    assert machine.ran == NAMES[:3]
    machine.failing = None
    assert repeat(machine) == NAMES[2:]


def test_what_is_made_from_a_removed_output_is_made_again(machine):
    repeat(machine)
    (machine.folder / "saved_model/1/saved_model.pb").unlink()
    assert repeat(machine) == NAMES[3:]


def test_data_that_is_whole_is_never_built_again(machine):
    """A kill may come between the data's appearance and its record."""
    machine.failing = "damsm"
    with pytest.raises(UserError):
        repeat(machine)
    path = machine.folder / "timings.json"
    path.write_text(path.read_text().replace('"done": true', '"done": false'))
    machine.failing = None
    assert repeat(machine) == NAMES[1:]


def test_other_settings_in_the_same_folder_are_refused(machine):
    repeat(machine)
    with pytest.raises(UserError, match="other settings"):
        quickstart.quickstart(machine.folder, short=False)


def test_time_adds_up_only_for_what_goes_on(tmp_path):
    record = quickstart.Record(tmp_path)
    resuming = Step("gan", "", 1, ("m",), "model", resumes=True)
    fresh = Step("report", "", 1, ("m",), "report")
    for step in (resuming, fresh):
        record.begin(step)
        record.end(step, 60.0, done=False)
        (tmp_path / step.output).touch()
    assert record.begin(resuming) == 60.0 and record.begin(fresh) == 0.0
    assert quickstart.Record(tmp_path).seconds() == 60.0
    (tmp_path / "model").unlink()
    assert record.begin(resuming) == 0.0


def test_a_broken_record_is_named(tmp_path):
    (tmp_path / "timings.json").write_text("{")
    with pytest.raises(UserError, match="timings.json is not JSON"):
        quickstart.Record(tmp_path)
