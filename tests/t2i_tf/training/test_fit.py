"""`Run.fit`: intervals, and going on from wherever a run was stopped."""

import contextlib
import json
import os
import signal

import keras
import ml_collections
import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.support.errors import UserError
from t2i_tf.training.callbacks import StopOnSignal, Watcher
from t2i_tf.training.run import Run
from t2i_tf.training.trainer import Trainer
from tests.t2i_tf.training.callbacks.helpers import room_for, saved_step


class Walk(Trainer):
    """A weight that moves by what each batch says; the order of the batches matters."""

    def __init__(self):
        super().__init__(name="walk")
        self.place = self.add_weight(name="place", shape=(2,), initializer="ones")
        self.large = self.add_weight(name="large", shape=(100_000,), trainable=False)
        self.compile(optimizer=None)
        self.track("loss")

    parts = property(lambda self: [self])
    image_sizes = ()
    shown = ("loss",)

    def state_figures(self):
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


class Seen(Watcher):
    """Keeps the steps at which it looked."""

    def __init__(self, every=1):
        super().__init__(every)
        self.steps = []

    def look(self, step):
        self.steps.append(step)
        return {"seen": len(self.steps)}


@pytest.fixture
def run(monkeypatch):
    """Trains a new model in a folder, to 12 steps by intervals of 4; returns its weight."""
    monkeypatch.setattr(
        Run, "_batches", lambda self, image_sizes, step: tf.data.Dataset.range(step, 1000)
    )
    config = ml_collections.ConfigDict(
        dict(train=dict(steps=12, steps_per_checkpoint=4, batch_size=1))
    )

    def run(workdir, more=(), watchers=(), export=lambda step: None, **kwargs):
        """`more` callbacks are called before the run's own."""
        model, fit = Walk(), Walk.fit
        workdir.mkdir(exist_ok=True)

        def with_more(self, *args, callbacks, **options):
            callbacks.callbacks[1:1] = more
            fit(self, *args, callbacks=callbacks, **options)

        with monkeypatch.context() as patch:
            patch.setattr(Walk, "fit", with_more)
            Run(config, workdir, None, **kwargs).fit(model, export, lambda board: watchers)
        return model.place.numpy()

    return run


def means(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return {line["step"]: line["loss"] for line in map(json.loads, lines)}


@pytest.mark.parametrize("step", [1, 4, 6])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_goes_on_from_the_step_at_which_it_was_told_to_stop(
    step, number, run, tmp_path, capsys
):
    expected = run(tmp_path / "undisturbed")
    assert means(tmp_path / "undisturbed") == {4: 1.5, 8: 5.5, 12: 9.5}
    stop = At(step, lambda: os.kill(os.getpid(), number))
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path / "run", [stop])
    assert stopped.value.code == 128 + number
    message = f"{signal.Signals(number).name}: saved step {step}; the same command goes on from it"
    assert message in capsys.readouterr().err.splitlines()
    assert saved_step(Walk(), tmp_path / "run") == step
    assert list(means(tmp_path / "run")) == [*range(4, step, 4), step]
    np.testing.assert_array_equal(run(tmp_path / "run"), expected)
    parts = {1: {1: 0.0, 4: 2.0}, 4: {4: 1.5}, 6: {4: 1.5, 6: 4.5, 8: 6.5}}[step]
    assert means(tmp_path / "run") == {8: 5.5, 12: 9.5} | parts


def test_a_run_goes_on_from_its_last_checkpoint_after_a_crash(run, tmp_path):
    expected = run(tmp_path / "undisturbed")

    def crash():
        raise RuntimeError("power cut")

    handlers = [signal.getsignal(number) for number in StopOnSignal.SIGNALS]
    with pytest.raises(RuntimeError, match="power cut"):
        run(tmp_path / "run", [At(7, crash)])
    assert [signal.getsignal(number) for number in StopOnSignal.SIGNALS] == handlers
    np.testing.assert_array_equal(run(tmp_path / "run"), expected)
    assert means(tmp_path / "run") == means(tmp_path / "undisturbed")


@pytest.mark.parametrize("profile", [["5"], ["a", "b"], ["0", "3"], ["3", "2"], ["5", "13"]])
def test_steps_that_cannot_be_traced_are_refused(profile, run, tmp_path):
    with pytest.raises(UserError, match="give FIRST,LAST, two of the 12 steps that are left"):
        run(tmp_path, profile=profile)


def test_a_trace_of_some_steps_is_kept(run, tmp_path):
    run(tmp_path, profile=["2", "3"])
    assert list(tmp_path.glob("plugins/profile/*/*.xplane.pb"))


def test_watchers_look_and_what_they_measure_is_written(run, tmp_path):
    exported, seen, rarely = [], Seen(), Seen(every=2)
    run(tmp_path, watchers=[seen, rarely], export=exported.append)
    assert (seen.steps, rarely.steps, exported) == ([4, 8, 12], [8], [4, 8, 12])
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8, 12]
    assert [line["seen"] for line in lines] == [1, 1, 3]  # `rarely` came after it
    assert all(line["learning_rate"] == 0.5 for line in lines)


def test_a_finished_run_is_exported_again_and_not_trained(run, tmp_path, capsys):
    exported = []
    expected = run(tmp_path)
    again = run(tmp_path, export=exported.append)
    np.testing.assert_array_equal(again, expected)
    assert exported == [12]
    assert "already trained for 12 steps" in capsys.readouterr().out


def test_a_full_disk_keeps_the_checkpoint_before(run, tmp_path):
    expected = run(tmp_path / "undisturbed")
    with contextlib.ExitStack() as disk:

        def fill(step):
            disk.enter_context(room_for(200_000))

        message = "checkpoints cannot be written: File too large; the last saved checkpoint"
        with pytest.raises(UserError, match=message) as error:
            run(tmp_path / "run", export=fill)
    assert "\n" not in str(error.value)
    assert list((tmp_path / "run" / "checkpoints").glob("*_temp"))
    assert saved_step(Walk(), tmp_path / "run") == 4
    assert not list((tmp_path / "run" / "checkpoints").glob("*_temp"))
    np.testing.assert_array_equal(run(tmp_path / "run"), expected)


def test_a_model_directory_that_cannot_be_written_is_named(run, tmp_path):
    def export(step):
        (tmp_path / "file").touch()
        (tmp_path / "file" / "model").mkdir()

    with pytest.raises(UserError, match="model cannot be written: Not a directory; the last saved"):
        run(tmp_path / "run", export=export)
    assert saved_step(Walk(), tmp_path / "run") == 4
