"""What the callbacks' tests share: a model that counts, and readers of what is written."""

import contextlib
import json
import math
import resource

import keras
import tensorflow as tf

from t2i_tf.training.callbacks import IntervalEnd
from t2i_tf.training.machinery.checkpoints import Checkpointer


class Counter(keras.Model):
    """Counts its steps; its loss is NaN from step `bad` on."""

    def __init__(self, bad=math.inf, steps_per_execution=1):
        super().__init__(name="counter")
        self.steps = self.add_weight(name="steps", initializer="zeros", trainable=False)
        self.bad = bad
        self.compile(optimizer=None, steps_per_execution=steps_per_execution)

    metrics = ()

    def state_figures(self):
        return {}

    def train_step(self, batch):
        self.steps.assign_add(1.0)
        return {"loss": tf.where(self.steps >= self.bad, math.nan, self.steps.value)}


class At(keras.callbacks.Callback):
    """Calls a function after a batch of the first epoch."""

    def __init__(self, batch, function):
        super().__init__()
        self.batch = batch
        self.function = function

    def on_train_batch_end(self, batch, logs=None):
        if batch == self.batch:
            self.function()


def train(model, callbacks, epochs=2, interval=5):
    batches = tf.data.Dataset.range(1000)
    model.fit(
        batches,
        epochs=epochs,
        steps_per_epoch=interval,
        callbacks=callbacks,
        verbose=0,
        shuffle=False,
    )


def interval_end(start=0, batch_size=4, **parts):
    """An `IntervalEnd` that does what `parts` say and nothing else."""
    silent = {"report": lambda step, figures: None, "save": lambda step: None}
    return IntervalEnd(start, batch_size, **silent | parts)


def entries(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def events(workdir):
    """All that TensorBoard finds in the one event file: (step, tag, value)."""
    (path,) = workdir.glob("events.out.tfevents.*")
    found = []
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
            found.append((event.step, value.tag, tf.make_ndarray(value.tensor)))
    return found


def saver(model, workdir):
    return Checkpointer(workdir / "checkpoints", [model]).save


def saved_step(model, workdir):
    return Checkpointer(workdir / "checkpoints", [model]).restore()


@contextlib.contextmanager
def room_for(size):
    """No file can grow beyond `size` bytes, as on a disk that is full then."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
