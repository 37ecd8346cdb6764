"""What makes a run safe to leave alone: checkpoints, signals, and losses that are no numbers."""

import math
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from data_pipeline.errors import UserError
from t2i_tf import replicas
from t2i_tf.callbacks.base import StepCallback, writing
from t2i_tf.checkpoints import Checkpointer

NAMED = 3  # values that a message names


class StopWhenNotFinite(StepCallback):
    """Stops the run at the first step after which something logged is NaN or infinite.

    Means over an interval keep a NaN, so none is missed where several steps are one execution. It
    must come before what writes: the checkpoint before then stays the last one.

    Args:
        start: Steps that the run had done before.
        workdir: The run's folder, for the message.
    """

    def __init__(self, start, workdir: str | Path):
        super().__init__(start)
        self.workdir = Path(workdir)
        self.saved = start

    def on_train_batch_end(self, batch, logs=None):
        before = self.step
        super().on_train_batch_end(batch, logs)
        self._check(logs, before + 1)

    def on_epoch_end(self, epoch, logs=None):
        self._check(logs, self.step)  # What is known at its end only, such as norms of weights.
        self.saved = self.step

    def _check(self, logs, first):
        wrong = [name for name, value in logs.items() if not math.isfinite(value)]
        if not wrong:
            return
        wrong.sort(key=lambda name: "loss" not in name)
        names = ", ".join(f"{name} became {logs[name]}" for name in wrong[:NAMED])
        if len(wrong) > NAMED:
            names += f" (and {len(wrong) - NAMED} more)"
        steps = f"step {self.step}" if first == self.step else f"steps {first} to {self.step}"
        left = (
            f"the checkpoint of step {self.saved} is kept"
            if self.saved
            else "no checkpoint was saved yet"
        )
        raise UserError(
            f"{self.workdir}: {names} at {steps}; {left}. The same command would come to the same "
            "step: lower the learning rates, or train in float32 if it was not (BUILD.md, 'When a "
            "run goes wrong')"
        )


class SaveCheckpoint(StepCallback):
    """Saves the run, and the model directory made from it, at the end of every interval.

    Args:
        checkpointer: A `Checkpointer`.
        start: Steps that the run had done before.
        workdir: The run's folder, for messages.
        export: Called with the step after each save; writes the model directory.
    """

    def __init__(
        self,
        checkpointer: Checkpointer,
        start,
        workdir: str | Path,
        export: Callable[[int], None],
    ):
        super().__init__(start)
        self.checkpointer = checkpointer
        self.workdir = Path(workdir)
        self.export = export

    def on_epoch_end(self, epoch, logs=None):
        with writing(self.workdir / "checkpoints"):
            self.checkpointer.save(self.step)
        with writing(self.workdir / "model"):
            self.export(self.step)


class StopOnSignal(StepCallback):
    """At SIGTERM or Ctrl-C ends the interval with the running step, then the program.

    What comes at the end of an interval happens, so the step is saved; pictures and scores are
    left out. Where several workers train, all stop at the same step, whichever got the signal. The
    exit code is 128 + the signal's number, as if it had not been caught. A second signal is not.
    This callback must be the last.

    Args:
        start: Steps that the run had done before.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def on_train_begin(self, logs=None):
        self._number = None
        self._handlers = {number: signal.signal(number, self._stop) for number in self.SIGNALS}

    def _stop(self, number, frame):
        self._restore()
        self._number = number
        if replicas.worker()[1] == 1:  # Pictures that are about to be drawn can be left out.
            self.model.stop_training = True

    def _restore(self):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        if replicas.any_worker(self._number is not None):
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        self._restore()
        if self.model.stop_training:
            number = self._number or signal.SIGTERM  # another worker's signal
            name = signal.Signals(number).name
            print(
                f"{name}: saved step {self.step}; the same command goes on from it", file=sys.stderr
            )
            sys.exit(128 + number)
