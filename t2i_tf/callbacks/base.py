"""What the callbacks share: when they act, and what they say where they cannot write."""

import contextlib
import os

import keras
import tensorflow as tf

from data_pipeline.errors import UserError


class StepCallback(keras.callbacks.Callback):
    """A callback that knows the step.

    Args:
        start: Steps that the run had done before.

    Attributes:
        step: Steps that it has done now.
    """

    def __init__(self, start):
        super().__init__()
        self.step = start

    def on_epoch_begin(self, epoch, logs=None):
        self._before = self.step

    def on_train_batch_end(self, batch, logs=None):
        self.step = self._before + batch + 1


class PeriodicCallback(keras.callbacks.Callback):
    """A callback that acts every few intervals, unless training is about to stop.

    Args:
        interval: Steps an epoch.
        every: Epochs between two calls of `act`.
    """

    def __init__(self, interval, every):
        super().__init__()
        self.interval = interval
        self.every = every

    def on_epoch_end(self, epoch, logs=None):
        # Who has sent a signal does not wait for pictures.
        if (epoch + 1) % self.every == 0 and not self.model.stop_training:
            self.act((epoch + 1) * self.interval, logs)

    def act(self, step, logs):
        """Does what the callback is for, after `step` steps."""
        raise NotImplementedError


@contextlib.contextmanager
def writing(path):
    """Tells in one line why `path` could not be written, a full disk most often.

    Raises:
        UserError: What was done within failed to write.
    """
    try:
        yield
    except (OSError, RuntimeError, tf.errors.OpError) as error:  # HDF5 raises RuntimeError, too.
        raise UserError(
            f"{path} cannot be written: {_reason(error)}; a checkpoint saved before is whole, and "
            "the same command goes on from it once this is mended"
        ) from error


def _reason(error):
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    # TensorFlow writes "{{node}} path; reason [Op:SaveV2]".
    return str(error).splitlines()[0].rsplit("; ", 1)[-1].partition(" [Op:")[0]
