import io
import json

import pytest
import tensorflow as tf

from data_pipeline.support.errors import UserError
from data_pipeline.support.progress import Progress
from t2i_tf.training.callbacks import Board, MetricsWriter, Profile, ScoreWatcher, TrainingProgress
from tests.t2i_tf.training.callbacks.helpers import Counter, entries, events, interval_end, train


def writer(workdir, start=0):
    return MetricsWriter(Board(workdir), start, "counter")


def test_metrics_are_written_at_the_end_of_every_interval(tmp_path):
    train(Counter(), [interval_end(report=writer(tmp_path).write)])
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
        ("health_discriminators_winning", "health/discriminators_winning"),
        ("images_per_second", "speed/images_per_second"),
        ("kl_loss", "counter/kl_loss"),
    ],
)
def test_tensorboard_groups_names_and_the_file_keeps_them(name, tag, tmp_path):
    writer(tmp_path).write(5, {name: 0.5})
    assert entries(tmp_path) == [{"step": 5, name: 0.5}]
    assert [(step, found) for step, found, _ in events(tmp_path)] == [(5, tag)]


def test_what_a_kill_left_behind_is_dropped_on_the_way_back(tmp_path):
    lines = [json.dumps({"step": step, "loss": 1.0}) for step in (5, 10, 15)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 20, "lo')
    writer(tmp_path, start=10)
    assert [entry["step"] for entry in entries(tmp_path)] == [5, 10]


def test_a_full_disk_is_told_where_metrics_are_written(tmp_path):
    metrics = writer(tmp_path)
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"metrics.jsonl cannot be written: No space left on dev"):
        metrics.write(5, {"loss": 1.0})


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
    watcher = ScoreWatcher(lambda: next(scores), every=2)
    end = interval_end(watchers=[watcher], report=writer(tmp_path).write)
    train(Counter(), [end], epochs=5)
    assert [entry.get("score_fid") for entry in entries(tmp_path)] == [None, 3.0, None, 2.0, None]


def test_some_steps_are_traced(tmp_path, monkeypatch):
    calls, model = [], Counter()
    monkeypatch.setattr(
        tf.profiler.experimental, "start", lambda folder: calls.append((folder, int(model.steps)))
    )
    monkeypatch.setattr(tf.profiler.experimental, "stop", lambda: calls.append(int(model.steps)))
    train(model, [Profile(tmp_path, 4, 6)])
    assert calls == [(str(tmp_path), 3), 6]
