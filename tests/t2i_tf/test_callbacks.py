import io
import json

import numpy as np
import pytest
from PIL import Image

from t2i_tf.callbacks import MetricsWriter, SampleGrid, SaveCheckpoint, TrainingProgress


def entries(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def test_metrics_are_written_at_the_end_of_every_interval(tmp_path):
    writer = MetricsWriter(tmp_path, step=0, interval=5, batch_size=4)
    for epoch in range(2):
        writer.on_epoch_begin(epoch)
        writer.on_epoch_end(epoch, {"loss": 1.5 - epoch})
    assert [(e["step"], e["loss"]) for e in entries(tmp_path)] == [(5, 1.5), (10, 0.5)]
    first = entries(tmp_path)[0]
    assert first["images_per_second"] == pytest.approx(4 / first["seconds_per_step"])


def test_what_a_kill_left_behind_is_dropped_on_the_way_back(tmp_path):
    lines = [json.dumps({"step": step, "loss": 1.0}) for step in (5, 10, 15)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 20, "lo')
    MetricsWriter(tmp_path, step=10, interval=5, batch_size=4)
    assert [entry["step"] for entry in entries(tmp_path)] == [5, 10]


def test_progress_goes_on_from_the_steps_done(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    progress = TrainingProgress(steps=4, start=2, shown=["loss"])
    for batch in range(2):
        progress.on_train_batch_end(batch, {"loss": 0.25})
    progress.on_train_end()
    assert "3/4 steps" in stream.getvalue()
    assert "loss 0.250" in stream.getvalue()


def test_samples_are_drawn_by_the_averaged_generator(tmp_path, small_model):
    class Model:
        text_encoder, ema_generator = small_model.text_encoder, small_model.generator

    tokens = np.array([[1, 2, 3, 0, 0, 0], [4, 5, 0, 0, 0, 0]], "int32")
    callback = SampleGrid(tmp_path, tokens, seeds=3, interval=5, every=2)
    callback.set_model(Model)
    callback.on_train_begin()
    callback.on_epoch_end(0)
    assert not list((tmp_path / "samples").iterdir())
    callback.on_epoch_end(1)
    (path,) = (tmp_path / "samples").iterdir()
    assert path.name == "step_0000010.png"
    width, height = Image.open(path).size
    assert width > 3 * 32
    assert height > 2 * 32


def test_the_checkpoint_is_written_before_the_model():
    calls = []

    class Checkpointer:
        def save(self, step):
            calls.append(("save", step))

    callback = SaveCheckpoint(Checkpointer(), 5, lambda step: calls.append(("export", step)))
    callback.on_epoch_end(1)
    assert calls == [("save", 10), ("export", 10)]
