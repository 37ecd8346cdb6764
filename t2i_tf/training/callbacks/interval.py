"""Ends an interval, phase by phase."""

import time
from collections.abc import Callable, Mapping, Sequence

from t2i_tf.training.callbacks.base import FigureCallback, Watcher

SECONDS, RATE = "seconds_per_step", "images_per_second"


class IntervalEnd(FigureCallback):
    """Ends each interval in phases: measure, check, report, save.

    - Measure: the figures of the interval's steps, of the model's state, of the speed, and of the
      watchers. Watchers are skipped when a stop was requested.
    - Check: may raise, which leaves the last checkpoint as it was; may add figures.
    - Report: writes the figures.
    - Save: writes the checkpoint and the model directory.

    If a stop was requested, Keras' `fit` then returns.

    Args:
        start: Steps that the run had done before.
        batch_size: Images per step.
        watchers: In the order in which they look.
        checks: Called with the step and the figures so far; return figures to add.
        report: Called with the step and all figures.
        save: Called with the step.
    """

    def __init__(
        self,
        start: int,
        batch_size: int,
        *,
        watchers: Sequence[Watcher] = (),
        checks: Sequence[Callable[[int, Mapping[str, float]], dict[str, float]]] = (),
        report: Callable[[int, Mapping[str, float]], None],
        save: Callable[[int], None],
    ):
        super().__init__(start)
        self.batch_size = batch_size
        self.watchers = watchers
        self.checks = checks
        self.report = report
        self.save = save

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self._began = self._ended = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        self._ended = time.monotonic()  # Watchers are no part of the training's speed.

    def on_epoch_end(self, epoch, logs=None):
        figures = {name: float(value) for name, value in logs.items()}
        figures |= {n: float(v) for n, v in self.model.state_figures().items()}
        figures |= self._speed()
        if not self.model.stop_training:
            for watcher in self.watchers:
                if (epoch + 1) % watcher.every == 0:
                    figures |= watcher.look(self.step)
        for check in self.checks:
            figures |= check(self.step, figures)
        self.report(self.step, figures)
        self.save(self.step)

    def _speed(self):
        seconds = (self._ended - self._began) / (self.step - self._before)
        return {SECONDS: seconds, RATE: self.batch_size / seconds}
