"""`training.fit`: intervals, and going on from wherever a run was stopped."""

import json
import os
import signal

import keras
import ml_collections
import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.support.errors import UserError
from t2i_tf.training import loop as training
from t2i_tf.training.trainer import Trainer


class Walk(Trainer):
    """A weight that moves by what each batch says; the order of the batches matters."""

    def __init__(self):
        super().__init__(name="walk")
        self.place = self.add_weight(name="place", shape=(2,), initializer="ones")
        self.compile(optimizer=None)
        self.track("loss")

    def facts(self):
        return {"learning_rate": 0.5}

    def train_step(self, number):
        number = tf.cast(number, tf.float32)
        self.place.assign(0.9 * self.place + tf.math.sin(number))
        return self.log({"loss": number})


class At(keras.callbacks.Callback):
    """Calls a function after the batch of some step."""

    def __init__(self, step, function):
        super().__init__()
        self.left = step
        self.function = function

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            self.function()


@pytest.fixture
def run(monkeypatch):
    """Trains a new model in a folder, to 12 steps by intervals of 4; returns its weight."""
    monkeypatch.setattr(
        training, "batches", lambda split, config, sizes, step: tf.data.Dataset.range(step, 1000)
    )
    config = ml_collections.ConfigDict(
        dict(train=dict(steps=12, steps_per_checkpoint=4, batch_size=1))
    )

    def run(workdir, watchers=(), **kwargs):
        model = Walk()
        workdir.mkdir(exist_ok=True)
        training.fit(
            model,
            [model],
            config,
            None,
            workdir,
            image_sizes=(),
            export=lambda step: None,
            shown=["loss"],
            watchers=lambda board: list(watchers),
            **kwargs,
        )
        return model.place.numpy()

    return run


def means(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return {line["step"]: line["loss"] for line in map(json.loads, lines)}


@pytest.mark.parametrize("step", [1, 4, 6])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_goes_on_from_the_step_at_which_it_was_told_to_stop(step, number, run, tmp_path):
    expected = run(tmp_path / "undisturbed")
    assert means(tmp_path / "undisturbed") == {4: 1.5, 8: 5.5, 12: 9.5}
    stop = At(step, lambda: os.kill(os.getpid(), number))
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path / "run", [stop])
    assert stopped.value.code == 128 + number
    np.testing.assert_array_equal(run(tmp_path / "run"), expected)
    parts = {1: {1: 0.0, 4: 2.0}, 4: {4: 1.5}, 6: {4: 1.5, 6: 4.5, 8: 6.5}}[step]
    assert means(tmp_path / "run") == {8: 5.5, 12: 9.5} | parts


def test_a_run_goes_on_from_its_last_checkpoint_after_a_crash(run, tmp_path):
    expected = run(tmp_path / "undisturbed")

    def crash():
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        run(tmp_path / "run", [At(7, crash)])
    np.testing.assert_array_equal(run(tmp_path / "run"), expected)
    assert means(tmp_path / "run") == means(tmp_path / "undisturbed")


@pytest.mark.parametrize("profile", [["5"], ["a", "b"], ["0", "3"], ["3", "2"], ["5", "13"]])
def test_steps_that_cannot_be_traced_are_refused(profile, run, tmp_path):
    with pytest.raises(UserError, match="give FIRST,LAST, two of the 12 steps that are left"):
        run(tmp_path, profile=profile)


def test_a_trace_of_some_steps_is_kept(run, tmp_path):
    run(tmp_path, profile=["2", "3"])
    assert list(tmp_path.glob("plugins/profile/*/*.xplane.pb"))
