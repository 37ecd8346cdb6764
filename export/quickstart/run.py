"""Runs the quickstart's steps, each in a process of its own, and records what is done."""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from data_pipeline.support.errors import UserError
from data_pipeline.support.files import write_text
from data_pipeline.support.json_text import parse_json
from export.quickstart.page import commands
from export.quickstart.steps import Step, steps

RECORD = "timings.json"
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}


class Record:
    """Which steps are done, by which command and in how many seconds: `timings.json`.

    Args:
        output_dir: The quickstart's folder.

    Raises:
        UserError: The file cannot be read.
    """

    def __init__(self, output_dir: Path):
        self.path = output_dir / RECORD
        self.entries = {}
        if self.path.exists():
            try:
                self.entries = parse_json(self.path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise UserError(f"{self.path} is not JSON ({error}): remove it") from error

    def check(self, step: Step) -> None:
        """Raises a UserError if the step was run by another command."""
        entry = self.entries.get(step.name)
        if entry and entry["command"] != list(step.command):
            raise UserError(
                f"{self.path.parent} holds a quickstart of other settings (step {step.name!r}): "
                "remove it or choose another folder"
            )

    def is_done(self, step: Step) -> bool:
        """Whether the step has ended and its output is still there."""
        ended = step.whole or self.entries.get(step.name, {}).get("done", False)
        return ended and (self.path.parent / step.output).exists()

    def seconds(self) -> float:
        """Adds up the time of all steps."""
        return sum(entry["seconds"] for entry in self.entries.values())

    def begin(self, step: Step) -> float:
        """Records that a step runs; returns the seconds that it ran before it was stopped."""
        goes_on = step.resumes and (self.path.parent / step.output).exists()
        before = self.entries.get(step.name, {"seconds": 0.0})["seconds"] if goes_on else 0.0
        self._set(step, before, done=False)
        return before

    def end(self, step: Step, seconds: float, done: bool) -> None:
        """Records how many seconds a step took, and whether it is done."""
        self._set(step, seconds, done)

    def _set(self, step, seconds, done):
        self.entries[step.name] = {"command": list(step.command), "done": done, "seconds": seconds}
        write_text(self.path, json.dumps(self.entries, indent=2) + "\n")


def quickstart(output_dir: Path, short: bool) -> None:
    """Runs the steps that are not done.

    Raises:
        UserError: The folder holds another quickstart, or a step failed.
    """
    planned = steps(short)
    output_dir.mkdir(parents=True, exist_ok=True)
    record = Record(output_dir)
    for step in planned:
        record.check(step)
    rerun = False
    for number, step in enumerate(planned, start=1):
        header = f"[{number}/{len(planned)}] {step.title}"
        if record.is_done(step) and not rerun:
            print(f"{header}: done before", flush=True)
            continue
        about = "" if short else f" ... about {_minutes(step.minutes)}"
        print(f"\n{header}{about}", flush=True)
        _run(step, output_dir, record)
        # What comes after is made from what this step has just made; a finished run notices that
        # it has nothing to do.
        rerun = True


def _run(step, output_dir, record):
    arguments = [argument.format(out=output_dir) for argument in step.command]
    print(f"    {_python()} -m {shlex.join(arguments)}", flush=True)
    before, started, done = record.begin(step), time.time(), False
    if step.name == "report":
        arguments.append(f"--started={started - record.seconds():.3f}")
    try:
        finished = subprocess.run(
            [sys.executable, "-m", *arguments], env={**os.environ, **QUIET}, check=False
        )
        done = finished.returncode == 0
    except KeyboardInterrupt:
        raise UserError("stopped; the same command goes on from here") from None
    finally:
        record.end(step, before + time.time() - started, done)
    if not done:
        raise UserError(
            f"step {step.name!r} ended with exit code {finished.returncode}, see above; once that "
            "is mended, the same command goes on from here"
        )


def _minutes(minutes):
    return f"{minutes:g} minutes" if minutes > 1 else f"{60 * minutes:.0f} seconds"


def _python():
    """The interpreter as one would type it here."""
    path = os.path.relpath(sys.executable)
    return sys.executable if path.startswith("..") else path


def closing(output_dir: Path) -> None:
    """Prints where everything lies and what to do next."""
    report = parse_json((output_dir / "report.json").read_text(encoding="utf-8"))
    places = {
        "report.md": "open this first: pictures and figures",
        "report.json": "the figures",
        "data": "TFRecords",
        "damsm": "run of the text and image encoder",
        "gan": "run of the generator: model/, samples/, metrics.jsonl",
        "saved_model": "the model just trained, for TensorFlow Serving",
        "saved_model_bundled": "the model that comes with the package",
    }
    print(f"\nAll done: {report['minutes']:.1f} minutes of work. In {output_dir}:\n")
    for name, what in places.items():
        print(f"    {name:<20} {what}")
    print(
        "\nNext, watch the losses, or draw with the model just trained and with the bundled one:\n"
    )
    for line in commands(output_dir / "gan", _python()):
        print(f"    {line}")
