"""The base of the callbacks: the step, and the error when they cannot write."""

import contextlib
import os
from collections.abc import Iterator

import keras
import tensorflow as tf

from data_pipeline.support.errors import UserError


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
