"""The base of the callbacks: the step, its figures, and the error when they cannot write."""

import contextlib
import math
import os
import time
from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf

from data_pipeline.support.errors import UserError

FETCH_SECONDS = 1.0  # from one look at the figures to the next


class StepCallback(keras.callbacks.Callback):
    """A callback that knows the step.

    Args:
        start: Steps that the run had done before.

    Attributes:
        step: Steps that the run has done so far.
    """

    def __init__(self, start: int):
        super().__init__()
        self.step = start

    def on_epoch_begin(self, epoch, logs=None):
        self._before = self.step

    def on_train_batch_end(self, batch, logs=None):
        self.step = self._before + batch + 1


class FigureCallback(StepCallback):
    """A callback that reads the figures of steps.

    `CallbackList` calls it now and then, and at the end of an interval, as if the steps since the
    last call were one execution.
    """


class CallbackList(keras.callbacks.CallbackList):
    """The callbacks of a `fit` that leaves the figures of most steps on their device.

    Keras' own list turns all figures into numbers after every step. The host then waits for a GPU
    to finish the step, and the GPU for the host to begin the next one. Here figures are fetched
    once in `FETCH_SECONDS` and at an interval's end, for every `FigureCallback`; other callbacks
    are called after every step, with tensors.

    Args:
        callbacks: In the order in which they are called.
        model: What they belong to.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback], model: keras.Model):
        super().__init__(callbacks, add_history=True, model=model)
        self._unread = None
        self._read = -math.inf

    def on_train_batch_end(self, batch, logs=None):
        for callback in self.callbacks:
            if not isinstance(callback, FigureCallback):
                callback.on_train_batch_end(batch, logs)
        self._unread = batch, logs
        if time.monotonic() - self._read >= FETCH_SECONDS:
            self._fetch()

    def on_epoch_end(self, epoch, logs=None):
        self._fetch()
        super().on_epoch_end(epoch, logs)

    def _fetch(self):
        if not self._unread:
            return
        batch, logs = self._unread
        self._unread = None
        figures = {name: float(value) for name, value in logs.items()}
        for callback in self.callbacks:
            if isinstance(callback, FigureCallback):
                callback.on_train_batch_end(batch, figures)
        self._read = time.monotonic()


class Watcher:
    """Looks at the model at the end of every few intervals.

    Args:
        every: Intervals between two looks.
    """

    def __init__(self, every: int = 1):
        self.every = every

    def look(self, step: int) -> dict[str, float]:
        """Looks after `step` steps; returns its figures by name."""
        raise NotImplementedError


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Turns a failed write to `path`, most often due to a full disk, into a one-line error.

    Raises:
        UserError: A write inside failed.
    """
    try:
        yield
    except (OSError, RuntimeError, tf.errors.OpError) as error:  # HDF5 raises RuntimeError, too.
        raise UserError(
            f"{path} cannot be written: {_reason(error)}; the last saved checkpoint is whole, and "
            "the same command resumes from it once this is fixed"
        ) from error


def _reason(error):
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    # TensorFlow writes "{{node}} path; reason [Op:SaveV2]".
    return str(error).splitlines()[0].rsplit("; ", 1)[-1].partition(" [Op:")[0]
