"""When a step's figures are fetched from the device."""

import math

import keras
import tensorflow as tf

from t2i_tf.training.callbacks import base
from t2i_tf.training.callbacks.base import CallbackList, FigureCallback, StepCallback
from tests.t2i_tf.training.callbacks.helpers import Counter, train


class Reader(FigureCallback):
    def __init__(self, start=0):
        super().__init__(start)
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        before = self.step
        super().on_train_batch_end(batch, logs)
        self.seen.append((before + 1, self.step, logs["loss"]))


class Every(StepCallback):
    def __init__(self, start=0):
        super().__init__(start)
        self.steps, self.logs = [], []

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        self.steps.append(self.step)
        self.logs.append(logs["loss"])


def fit(callbacks, epochs=2):
    """Counts to four in each epoch."""
    model = Counter()
    train(model, CallbackList(callbacks, model), epochs, interval=4)
    return model.history


def test_figures_are_fetched_now_and_then_and_at_the_end_of_an_interval(monkeypatch):
    monkeypatch.setattr(base, "FETCH_SECONDS", math.inf)
    reader, every = Reader(), Every()
    history = fit([every, reader])
    # The first look is due at once; each other one here at an interval's end.
    assert reader.seen == [(1, 1, 1.0), (2, 4, 4.0), (5, 8, 8.0)]
    assert all(type(loss) is float for *_, loss in reader.seen)
    assert history.history == {"loss": [4.0, 8.0]}
    # Nothing else was fetched: Keras' own list would have made numbers of these.
    assert every.steps == [1, 2, 3, 4, 5, 6, 7, 8]
    assert all(tf.is_tensor(loss) for loss in every.logs)


def test_without_a_wait_every_step_is_read(monkeypatch):
    monkeypatch.setattr(base, "FETCH_SECONDS", 0.0)
    reader = Reader(start=10)
    fit([reader], epochs=1)
    assert [(first, last) for first, last, _ in reader.seen] == [(i, i) for i in range(11, 15)]


def test_a_second_passes_between_two_looks(monkeypatch):
    clock = iter([10.0, 10.1, 10.5, 11.2, 11.3, 12.0])
    monkeypatch.setattr(base.time, "monotonic", lambda: next(clock))
    reader = Reader()
    callbacks = CallbackList([reader], keras.Model())
    callbacks.on_epoch_begin(0)
    for batch in range(4):
        callbacks.on_train_batch_end(batch, {"loss": batch})
    assert reader.seen == [(1, 1, 0.0), (2, 3, 2.0)]


def test_a_stopped_interval_leaves_no_step_unread(monkeypatch):
    monkeypatch.setattr(base, "FETCH_SECONDS", math.inf)
    reader = Reader()

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 2

    fit([reader, Stop()])
    assert reader.seen == [(1, 1, 1.0), (2, 3, 3.0)]
