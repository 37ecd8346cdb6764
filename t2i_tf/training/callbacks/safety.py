"""Stops a run between two steps when a signal asks for it."""

import signal
from collections.abc import Callable

from t2i_tf.training.callbacks.base import StepCallback


class StopOnSignal(StepCallback):
    """Ends the interval with the running step at SIGTERM or Ctrl-C.

    The interval then ends as every other does, so the step is saved. If several workers train, all
    of them stop at the same step, at most `ASK_EVERY` steps later, whichever got the signal. A
    second signal acts at once.

    Args:
        start: Steps that the run had done before.
        on_any_worker: Called with whether this worker got a signal; returns whether any did. With
            several workers it is called once in `ASK_EVERY` steps, because asking takes a message
            to each of them.
        alone: Whether this is the only worker. It need not ask others, so it also skips watchers
            that are about to look.

    Attributes:
        received: The signal that stopped the run, or None.
    """

    ASK_EVERY = 10
    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, start: int, on_any_worker: Callable[[bool], bool], alone: bool = True):
        super().__init__(start)
        self.on_any_worker = on_any_worker
        self.alone = alone
        self.received: signal.Signals | None = None
        self._handlers = {}

    def on_train_begin(self, logs=None):
        self._handlers = {number: signal.signal(number, self._note) for number in self.SIGNALS}

    def _note(self, number, frame):
        self.restore()
        self.received = signal.Signals(number)
        if self.alone:
            self.model.stop_training = True

    def restore(self) -> None:
        """Gives the signals back; Keras' `fit` does not say when it ends by an error."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def on_train_batch_end(self, batch, logs=None):
        before = self.step
        super().on_train_batch_end(batch, logs)
        if not self.alone and self.step // self.ASK_EVERY == before // self.ASK_EVERY:
            return
        if self.on_any_worker(self.received is not None):
            self.received = self.received or signal.SIGTERM  # Another worker's signal.
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        self.restore()
