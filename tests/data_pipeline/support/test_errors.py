import subprocess
import sys

import pytest

from tests.commands import ROOT

PROGRAM = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from absl import flags
from data_pipeline.support.errors import run

def main(arguments):
    print(flags.FLAGS.text, arguments[1:])

def define_flags():
    flags.DEFINE_string("text", "", "A text.")
    flags.DEFINE_string("runner", None, "A runner.")

run(main, define_flags, others_flags="runner")
"""


def call(*arguments):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--text=a", "red", "bird"], "red"),
        (["red", "--text=a"], "red"),
        (["--", "--master=host"], "--master=host"),  # Of no runner.
        (["--runner=x", "red", "--", "--master=host"], "red"),
        (["--runner=x", "--", "red"], "red"),
    ],
)
def test_an_argument_that_is_no_flag_is_refused_in_one_line(arguments, named):
    done = call(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: unexpected argument {named!r}: write --name=value, ")
    assert done.stderr.count("\n") == 1


def test_another_programs_flags_are_handed_on():
    done = call("--runner=x", "--text=a b", "--", "--master=host", "--parallelism", "4")
    assert done.stdout == "a b ['--master=host', '--parallelism', '4']\n", done.stderr
