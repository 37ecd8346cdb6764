"""Ends a command at Ctrl-C while it still imports, when there is nothing to tidy up."""

import os
import signal
import sys
from pathlib import Path


def install() -> None:
    """Makes Ctrl-C end the program at once, if a command of this project is starting.

    A KeyboardInterrupt inside an import shows the trace of it, and native modules turn it into
    other errors. `errors.run` puts Python's own handler back. Programs that import a package keep
    theirs.
    """
    # While Python looks for the module of `python -m`, the program's name is "-m".
    starting = sys.argv[:1] == ["-m"] or Path(*sys.argv[:1]).name.startswith("t2i-")
    if starting and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        stderr = os.dup(2)  # `quiet` redirects 2 for a while.
        signal.signal(signal.SIGINT, lambda number, frame: _end(stderr, number))


def _end(stderr, number):
    os.write(stderr, b"interrupted\n")
    os._exit(128 + number)
