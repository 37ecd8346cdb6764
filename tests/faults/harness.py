"""Runs one command under one fault and says what was wrong about how it ended."""

import contextlib
import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.commands import ROOT


class Runner:
    """Runs commands one after another by `tests.faults.zygote`; a context manager."""

    def __enter__(self):
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_):
        self._zygote.stdin.close()
        self._zygote.wait()

    def run(self, module, arguments, limit=None, number=None, after=0.0):
        """Runs a command; sends it a signal after some seconds, as a terminal does.

        Returns:
            Its exit code, all it wrote, and its seconds.
        """
        with tempfile.NamedTemporaryFile(mode="r", suffix=".log") as log:
            job = dict(module=module, arguments=arguments, log=log.name, limit=limit)
            begun = time.monotonic()
            self._zygote.stdin.write(json.dumps(job) + "\n")
            self._zygote.stdin.flush()
            pid = int(self._zygote.stdout.readline())
            if number is not None:
                time.sleep(after)
                with contextlib.suppress(ProcessLookupError):
                    # Ctrl-C reaches all processes of the command.
                    (os.killpg if number == signal.SIGINT else os.kill)(pid, number)
            code = int(self._zygote.stdout.readline())
            return code, log.read(), time.monotonic() - begun


@dataclasses.dataclass
class Command:
    """A command as the table has it.

    Attributes:
        module: What `python -m` takes.
        arguments: With `{inputs}` and `{output}`, two folders.
        inputs: A folder that is copied for each trial.
        damageable: Files in it whose damage must be told; the others are not looked at.
        replaces: Whether it is tried over an earlier result.
        seconds: How long it takes, measured by `Trial.prepare`.
    """

    module: str
    arguments: list[str]
    inputs: Path
    damageable: list[str]
    replaces: bool = True
    seconds: float = 0.0


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of all files in a folder, by relative path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def arguments_of(command: Command, inputs: Path, output: Path) -> list[str]:
    """The command line's arguments in these folders."""
    return [text.format(inputs=inputs, output=output) for text in command.arguments]


def faults_of_end(code: int, text: str, expected: set[int], names: list[str]) -> list[str]:
    """What is wrong about an exit code and what a command wrote.

    Args:
        code: The exit code.
        text: stdout and stderr.
        expected: Exit codes that are right.
        names: Of which the line of exit code 1 must hold one.
    """
    wrong = []
    if code not in expected:
        wrong.append(f"exit code {code}, not {sorted(expected)}")
    if "Traceback" in text or "Exception ignored" in text:
        wrong.append("a traceback")
    lines = [line for line in text.splitlines() if line.startswith("error: ")]
    if code == 1 and len(lines) != 1:
        wrong.append(f"{len(lines)} lines of error")
    if code == 1 and lines and not any(name in lines[0] for name in names):
        wrong.append(f"the line names none of {names}: {lines[0]}")
    return [f"{what}; it wrote: {text[-1500:]}" for what in wrong]


def leftovers(folder: Path) -> list[str]:
    """Temporaries in a folder."""
    found = (path.relative_to(folder) for path in folder.rglob("*"))
    kept = (path for path in found if ".shards" not in str(path))  # For the next build.
    return [str(path) for path in kept if path.name.startswith(".") or "partial" in path.name]


Damage = Callable[[bytes], bytes]

DAMAGES: dict[str, Damage] = {
    "cut short": lambda data: data[: len(data) // 2],
    "emptied": lambda data: b"",
    "a bit flipped": lambda data: (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 16]) + data[len(data) // 2 + 1 :]
    ),
    "text instead": lambda data: b"[" * 100_000,
}
SIGNALS = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM, "SIGKILL": signal.SIGKILL}
