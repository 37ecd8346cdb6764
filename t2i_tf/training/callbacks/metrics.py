"""Figures: the progress bar, `metrics.jsonl`, TensorBoard's scalars, scores and profiles."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from data_pipeline.support.files import write_text
from data_pipeline.support.progress import Progress
from t2i_tf.training.callbacks.base import FigureCallback, StepCallback, Watcher, writing
from t2i_tf.training.callbacks.board import Board
from t2i_tf.training.callbacks.interval import RATE, SECONDS

# TensorBoard's groups by the prefix of a name: `d_loss_0` is `discriminator/loss_0` there.
GROUPS = {
    "d_": "discriminator",
    "g_": "generator",
    "score_": "scores",
    "health_": "health",
    "val_": "validation",
}


class TrainingProgress(FigureCallback):
    """Moves a progress bar over all steps, with the running means of some losses.

    Args:
        progress: The bar.
        start: Steps that the run had done before.
        shown: Names of the losses to show.
    """

    def __init__(self, progress: Progress, start: int, shown: Sequence[str]):
        super().__init__(start)
        self.progress = progress
        self.shown = shown

    def on_train_batch_end(self, batch, logs=None):
        before = self.step
        super().on_train_batch_end(batch, logs)
        self.progress.note = " ".join(f"{name} {logs[name]:.3f}" for name in self.shown)
        self.progress.update(self.step - before)


class MetricsWriter:
    """Writes the figures of each interval to `metrics.jsonl` and TensorBoard.

    An interval's means are over the steps since the entry before; a run that was stopped leaves an
    entry for the part of the interval that it did. TensorBoard has the same figures, in groups.

    Args:
        board: The run's `Board`; `metrics.jsonl` lies beside its events.
        start: Steps that the run had done before; later entries of an interrupted run are dropped.
        group: TensorBoard's group for figures whose names have no prefix of `GROUPS`.
    """

    def __init__(self, board: Board, start: int, group: str):
        self.board = board
        self.path = board.workdir / "metrics.jsonl"
        self.group = group
        if self.path.exists():
            self._drop_entries_after(start)

    def _drop_entries_after(self, step):
        kept = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except (ValueError, KeyError):
                break  # a line cut short by a kill is the last one
        with writing(self.path):
            write_text(self.path, "".join(kept))

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Writes the figures of the interval that ended with `step`.

        Raises:
            UserError: The disk is full.
        """
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **figures}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with writing(self.board.workdir):
            self.board.scalars(step, {self._tag(name): value for name, value in figures.items()})

    def _tag(self, name):
        if name in (SECONDS, RATE):
            return f"speed/{name}"
        for prefix, group in GROUPS.items():
            if name.startswith(prefix):
                return f"{group}/{name.removeprefix(prefix)}"
        return f"{self.group}/{name}"


class ScoreWatcher(Watcher):
    """Scores a small sample.

    Args:
        scores: Measures the current model; returns figures by name.
        every: Intervals between two measurements.
    """

    def __init__(self, scores: Callable[[], dict[str, float]], every: int = 1):
        super().__init__(every)
        self.scores = scores

    def look(self, step: int) -> dict[str, float]:
        return {f"score_{name}": value for name, value in self.scores().items()}


class Profile(StepCallback):
    """Traces some steps with TensorFlow's profiler into `plugins/profile/` of the run's folder.

    Args:
        workdir: The run's folder.
        first: First traced step, counted from 1 at the start of this process.
        last: Last traced step.
    """

    def __init__(self, workdir: str | Path, first: int, last: int):
        super().__init__(0)
        self.workdir = str(workdir)
        self.first = first
        self.last = last
        self._traces = False

    def on_train_batch_begin(self, batch, logs=None):
        if self.step < self.last and self._before + batch + 1 >= self.first and not self._traces:
            tf.profiler.experimental.start(self.workdir)
            self._traces = True

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        if self._traces and self.step >= self.last:
            self._traces = False
            with writing(self.workdir):
                tf.profiler.experimental.stop()
