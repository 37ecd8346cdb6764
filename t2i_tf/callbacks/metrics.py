"""Numbers: the progress bar, `metrics.jsonl`, TensorBoard's scalars, scores and profiles."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from data_pipeline.files import write_text
from data_pipeline.progress import Progress
from t2i_tf.callbacks.base import PeriodicCallback, StepCallback, writing
from t2i_tf.callbacks.board import Board

# TensorBoard's groups by the beginning of a name: `d_loss_0` is `discriminator/loss_0` there.
GROUPS = {"d_": "discriminator", "g_": "generator", "score_": "scores", "health_": "health"}
SECONDS, RATE = "seconds_per_step", "images_per_second"


class TrainingProgress(StepCallback):
    """Moves a progress bar over all steps, with the running means of some losses.

    Args:
        progress: The bar.
        start: Steps that the run had done before.
        shown: Names of the losses to show.
    """

    def __init__(self, progress: Progress, start, shown):
        super().__init__(start)
        self.progress = progress
        self.shown = shown

    def on_train_batch_end(self, batch, logs=None):
        before = self.step
        super().on_train_batch_end(batch, logs)
        self.progress.note = " ".join(f"{name} {logs[name]:.3f}" for name in self.shown)
        self.progress.update(self.step - before)


class MetricsWriter(StepCallback):
    """Writes what is logged at the end of each interval to `metrics.jsonl` and TensorBoard.

    An interval's means are those of the steps since the entry before; a run that was told to stop
    leaves an entry of the part that it had done. TensorBoard has the same numbers, in groups.

    Args:
        board: The run's `Board`; `metrics.jsonl` lies beside its events.
        start: Steps that the run had done before; later entries of an interrupted run are dropped.
        batch_size: Images a step.
    """

    def __init__(self, board: Board, start, batch_size):
        super().__init__(start)
        self.board = board
        self.path = board.workdir / "metrics.jsonl"
        self.batch_size = batch_size

    def on_train_begin(self, logs=None):
        if not self.path.exists():
            return
        kept = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= self.step:
                    kept.append(line + "\n")
            except (ValueError, KeyError):
                break  # a line cut short by a kill is the last one
        with writing(self.path):
            write_text(self.path, "".join(kept))

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self._began = self._ended = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        self._ended = time.monotonic()  # Pictures and scores are no part of the training's speed.

    def on_epoch_end(self, epoch, logs=None):
        seconds = (self._ended - self._began) / (self.step - self._before)
        values = {name: float(value) for name, value in logs.items()}
        values |= {SECONDS: seconds, RATE: self.batch_size / seconds}
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": self.step, **values}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with writing(self.board.workdir):
            self.board.scalars(self.step, {self._tag(name): v for name, v in values.items()})

    def _tag(self, name):
        if name in (SECONDS, RATE):
            return f"speed/{name}"
        for prefix, group in GROUPS.items():
            if name.startswith(prefix):
                return f"{group}/{name.removeprefix(prefix)}"
        return f"{self.model.name}/{name}"


class WithScores(PeriodicCallback):
    """Adds scores of a small sample to what is logged, every few intervals.

    Args:
        scores: Measures the model as it is; returns figures by name.
        interval: Steps an epoch.
        every: Epochs between two measurements.
    """

    def __init__(self, scores: Callable[[], dict[str, float]], interval, every):
        super().__init__(interval, every)
        self.scores = scores

    def act(self, step, logs):
        logs.update({f"score_{name}": value for name, value in self.scores().items()})


class Profile(StepCallback):
    """Traces some steps with TensorFlow's profiler into `plugins/profile/` of the run's folder.

    Args:
        workdir: The run's folder.
        first: First traced step, counted from 1 where this process began.
        last: Last traced step.
    """

    def __init__(self, workdir: str | Path, first, last):
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
