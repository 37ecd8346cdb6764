"""Running the product's commands as users do."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def command(module, *arguments):
    """The argument list of `python -m module ...`."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def run(module, *arguments):
    """Runs a command to its end; returns its output."""
    done = subprocess.run(
        command(module, *arguments), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def refused(module, *arguments, env=None):
    """Runs a command that must refuse what it is given; returns its last line on stderr."""
    done = subprocess.run(
        command(module, *arguments),
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr[-3000:]
    return done.stderr.splitlines()[-1]
