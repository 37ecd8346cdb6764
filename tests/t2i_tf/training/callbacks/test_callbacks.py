import contextlib
import io
import json
import math
import os
import resource
import signal

import keras
import pytest
import tensorflow as tf

from data_pipeline.support.errors import UserError
from data_pipeline.support.progress import Progress
from t2i_tf.training.callbacks import (
    Board,
    DiscriminatorWatch,
    MetricsWriter,
    Profile,
    SaveCheckpoint,
    StopOnSignal,
    StopWhenNotFinite,
    TrainingProgress,
    WithScores,
)
from t2i_tf.training.machinery.checkpoints import Checkpointer


class Counter(keras.Model):
    """Counts its steps; its loss is NaN from step `bad` on."""

    def __init__(self, bad=math.inf, steps_per_execution=1):
        super().__init__(name="counter")
        self.steps = self.add_weight(name="steps", initializer="zeros", trainable=False)
        self.bad = bad
        self.compile(optimizer=None, steps_per_execution=steps_per_execution)

    metrics = ()

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


def saver(model, workdir, start=0):
    return SaveCheckpoint(
        Checkpointer(workdir / "checkpoints", [model]), start, workdir, lambda step: None
    )


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


def test_metrics_are_written_at_the_end_of_every_interval(tmp_path):
    train(Counter(), [MetricsWriter(Board(tmp_path), start=0, batch_size=4)])
    assert [(e["step"], e["loss"]) for e in entries(tmp_path)] == [(5, 5.0), (10, 10.0)]
    first = entries(tmp_path)[0]
    assert first["images_per_second"] == pytest.approx(4 / first["seconds_per_step"])
    values = {(step, tag): float(value) for step, tag, value in events(tmp_path)}
    assert values[5, "counter/loss"] == 5.0
    assert values[10, "speed/seconds_per_step"] == pytest.approx(
        entries(tmp_path)[1]["seconds_per_step"]
    )


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("d_loss_0", "discriminator/loss_0"),
        ("g_loss", "generator/loss"),
        ("score_fid_damsm", "scores/fid_damsm"),
        ("kl_loss", "counter/kl_loss"),
    ],
)
def test_tensorboard_groups_names_and_the_file_keeps_them(name, tag, tmp_path):
    writer = MetricsWriter(Board(tmp_path), start=0, batch_size=4)
    writer.set_model(Counter())
    writer.on_epoch_begin(0)
    writer.on_train_batch_end(4)
    writer.on_epoch_end(0, {name: 0.5})
    assert entries(tmp_path)[0][name] == 0.5
    assert tag in {found for _, found, _ in events(tmp_path)}


def test_what_a_kill_left_behind_is_dropped_on_the_way_back(tmp_path):
    lines = [json.dumps({"step": step, "loss": 1.0}) for step in (5, 10, 15)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 20, "lo')
    MetricsWriter(Board(tmp_path), start=10, batch_size=4).on_train_begin()
    assert [entry["step"] for entry in entries(tmp_path)] == [5, 10]


@pytest.mark.parametrize("steps_per_execution", [1, 5])
def test_progress_goes_on_from_the_steps_done(steps_per_execution, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    callback = TrainingProgress(Progress(20, "steps", start=10), start=10, shown=["loss"])
    train(Counter(steps_per_execution=steps_per_execution), [callback])
    assert "20/20 steps" in stream.getvalue()
    assert "loss 10.000" in stream.getvalue()


def test_scores_join_what_is_logged(tmp_path):
    scores = iter([{"fid": 3.0}, {"fid": 2.0}])
    callbacks = [
        WithScores(lambda: next(scores), interval=5, every=2),
        MetricsWriter(Board(tmp_path), start=0, batch_size=4),
    ]
    train(Counter(), callbacks, epochs=5)
    assert [entry.get("score_fid") for entry in entries(tmp_path)] == [None, 3.0, None, 2.0, None]


def test_some_steps_are_traced(tmp_path, monkeypatch):
    calls, model = [], Counter()
    monkeypatch.setattr(
        tf.profiler.experimental, "start", lambda folder: calls.append((folder, int(model.steps)))
    )
    monkeypatch.setattr(tf.profiler.experimental, "stop", lambda: calls.append(int(model.steps)))
    train(model, [Profile(tmp_path, 4, 6)])
    assert calls == [(str(tmp_path), 3), 6]


@pytest.mark.parametrize(
    ("bad", "steps_per_execution", "named", "kept"),
    [
        (7, 1, "at step 7;", "the checkpoint of step 5 is kept"),
        (3, 1, "at step 3;", "no checkpoint was saved yet"),
        (9, 5, "at steps 6 to 10;", "the checkpoint of step 5 is kept"),
    ],
)
def test_nan_stops_the_run_and_keeps_the_checkpoint(
    bad, steps_per_execution, named, kept, tmp_path
):
    model = Counter(bad, steps_per_execution)
    callbacks = [StopWhenNotFinite(0, tmp_path), saver(model, tmp_path)]
    with pytest.raises(UserError, match=f"loss became nan {named} {kept}") as error:
        train(model, callbacks)
    assert "\n" not in str(error.value)
    assert saved_step(model, tmp_path) == (5 if "5" in kept else 0)


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    class Facts(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["g_weight_norm"] = math.inf if epoch else 1.0

    model = Counter()
    callbacks = [Facts(), StopWhenNotFinite(0, tmp_path), saver(model, tmp_path)]
    with pytest.raises(UserError, match="g_weight_norm became inf at step 10; the checkpoint of "):
        train(model, callbacks)
    assert saved_step(model, tmp_path) == 5


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_the_running_step_and_ends(number, code, tmp_path, capsys):
    model, handler = Counter(), signal.getsignal(number)
    callbacks = [
        At(2, lambda: os.kill(os.getpid(), number)),
        WithScores(lambda: pytest.fail("a signal does not wait for scores"), 5, 1),
        MetricsWriter(Board(tmp_path), start=0, batch_size=4),
        saver(model, tmp_path),
        StopOnSignal(0),
    ]
    with pytest.raises(SystemExit) as stopped:
        train(model, callbacks)
    assert stopped.value.code == code
    assert f"{number.name}: saved step 3" in capsys.readouterr().err
    assert saved_step(model, tmp_path) == 3
    assert [entry["step"] for entry in entries(tmp_path)] == [3]
    assert signal.getsignal(number) is handler


def test_signals_mean_what_they_did_after_training():
    handlers = [signal.getsignal(number) for number in StopOnSignal.SIGNALS]
    train(Counter(), [StopOnSignal(0)])
    assert [signal.getsignal(number) for number in StopOnSignal.SIGNALS] == handlers


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path):
    model = Counter()
    model.large = model.add_weight(name="large", shape=(100_000,), trainable=False)
    callback = saver(model, tmp_path)
    callback.step = 5
    callback.on_epoch_end(0)
    callback.step = 10
    full = room_for(200_000)
    with (
        full,
        pytest.raises(
            UserError, match="checkpoints cannot be written: File too large; a checkpoint"
        ) as error,
    ):
        callback.on_epoch_end(1)
    assert "\n" not in str(error.value)
    assert list((tmp_path / "checkpoints").glob("*_temp"))
    assert saved_step(model, tmp_path) == 5
    assert not list((tmp_path / "checkpoints").glob("*_temp"))
    callback.on_epoch_end(1)
    assert saved_step(model, tmp_path) == 10


def test_a_full_disk_is_told_where_metrics_are_written(tmp_path):
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    writer = MetricsWriter(Board(tmp_path), start=0, batch_size=4)
    writer.set_model(Counter())
    writer.on_epoch_begin(0)
    writer.on_train_batch_end(4)
    with pytest.raises(UserError, match=r"metrics.jsonl cannot be written: No space left on dev"):
        writer.on_epoch_end(0, {"loss": 1.0})


def test_a_model_directory_that_cannot_be_written_is_named(tmp_path):
    def export(step):
        (tmp_path / "file").touch()
        (tmp_path / "file" / "model").mkdir()

    model = Counter()
    callback = SaveCheckpoint(Checkpointer(tmp_path, [model]), 0, tmp_path, export)
    with pytest.raises(UserError, match="model cannot be written: Not a directory; a checkpoint"):
        callback.on_epoch_end(0)


def judgements(*pairs):
    """Logs of intervals: accuracy on real and on fake images, of stage 1; stage 0 is healthy."""
    for real, fake in pairs:
        yield {
            "d_real_accuracy_0": 0.8,
            "d_fake_accuracy_0": 0.7,
            "g_loss_0": 1.0,
            "d_real_accuracy_1": real,
            "d_fake_accuracy_1": fake,
            "g_loss_1": 10 * fake,
        }


def test_a_discriminator_that_wins_is_told_once_with_advice(tmp_path, caplog):
    watch = DiscriminatorWatch(Board(tmp_path), interval=100)
    pairs = [(0.98, 0.9), (0.98, 0.98), (0.99, 1.0), (1.0, 0.99), (1.0, 1.0), (0.97, 0.99)]
    pairs += [(1.0, 1.0)] * 3 + [(0.9, 0.99)] + [(1.0, 1.0)] * 3
    counts = []
    for epoch, logs in enumerate(judgements(*pairs)):
        watch.on_epoch_end(epoch, logs)
        counts.append(logs["health_discriminators_winning"])
    assert counts == [0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1]
    first, recovered, second = [record.getMessage() for record in caplog.records]
    assert first.startswith("step 400: the discriminator of stage 1 wins: since step 100 it knows")
    assert "g_loss_1 went from 9.80 to 9.90" in first
    assert "train.discriminator_learning_rate" in first
    assert recovered == "step 1000: the discriminator of stage 1 no longer wins"
    assert second.startswith("step 1300: the discriminator of stage 1 wins: since step 1000")
    texts = [(step, value.item()) for step, tag, value in events(tmp_path) if tag == "health"]
    assert [step for step, _ in texts] == [400, 1000, 1300]
    assert b"discriminator of stage 1 wins" in texts[0][1]


@pytest.mark.parametrize("pair", [(1.0, 0.9), (0.9, 1.0), (0.75, 0.74)])
def test_a_discriminator_that_errs_on_one_side_does_not_win(pair, tmp_path, caplog):
    watch = DiscriminatorWatch(Board(tmp_path), interval=100)
    for epoch, logs in enumerate(judgements(*[pair] * 6)):
        watch.on_epoch_end(epoch, logs)
        assert logs["health_discriminators_winning"] == 0
    assert not caplog.records
