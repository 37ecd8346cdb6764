"""The short form of `python -m tests.faults`: some faults of each command."""

import pytest

from tests.faults.commands import table
from tests.faults.faults import Trials, faults_of
from tests.faults.harness import Runner

NAMES = ["build_tfrecords", "generate", "pretrain_damsm", "saved_model", "client"]


@pytest.fixture(scope="module")
def runner():
    with Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def commands(runner, model_dir, tmp_path_factory):
    return table(runner, tmp_path_factory.mktemp("inputs"), model_dir)


@pytest.mark.parametrize("name", NAMES)
def test_faults_end_in_one_line_and_leave_what_was_there(name, runner, commands, tmp_path):
    trials = Trials(runner, commands[name], tmp_path / "trials")
    every = faults_of(commands[name], moments=1)
    # One of each kind, another one for each command.
    chosen = {fault.kind: fault for fault in every[NAMES.index(name) % 3 :]}
    wrong = [what for fault in chosen.values() for what in trials.attempt(fault)]
    assert not wrong, "\n".join(wrong)
