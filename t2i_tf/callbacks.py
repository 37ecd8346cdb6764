"""What happens beside the training steps: progress, records, samples and checkpoints.

One Keras epoch is an interval of `train.steps_per_checkpoint` steps; at its end the metrics are
written first and the checkpoint last, so that a restored run finds its own past on record.
"""

import json
import os
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from data_pipeline.files import write_text
from data_pipeline.progress import Progress
from t2i_tf.images import grid, save_png
from t2i_tf.text_to_image import TextToImage, to_uint8


class TrainingProgress(keras.callbacks.Callback):
    """A progress bar over all steps with the running means of some losses and the time left.

    Args:
        steps: Steps of the whole run.
        start: Steps already done.
        shown: Names of the losses to show.
    """

    def __init__(self, steps, start, shown):
        super().__init__()
        self.progress = Progress(steps, "steps", start=start)
        self.shown = shown

    def on_train_batch_end(self, batch, logs=None):
        self.progress.note = " ".join(f"{name} {logs[name]:.3f}" for name in self.shown)
        self.progress.update()

    def on_train_end(self, logs=None):
        self.progress.close()


class MetricsWriter(keras.callbacks.Callback):
    """Writes each interval's means to `metrics.jsonl` and TensorBoard.

    Args:
        workdir: The run's folder.
        step: Steps done before; later entries of an interrupted run are dropped.
        interval: Steps an epoch.
        batch_size: Images a step.
    """

    def __init__(self, workdir, step, interval, batch_size):
        super().__init__()
        self.path = Path(workdir) / "metrics.jsonl"
        self.writer = tf.summary.create_file_writer(str(workdir))
        self.interval = interval
        self.batch_size = batch_size
        self._drop_after(step)

    def _drop_after(self, step):
        if not self.path.exists():
            return
        kept = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except (ValueError, KeyError):
                break  # a line cut short by a kill is the last one
        write_text(self.path, "".join(kept))

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        seconds = (time.monotonic() - self.start) / self.interval
        step = (epoch + 1) * self.interval
        values = {name: float(value) for name, value in logs.items()}
        values |= {"seconds_per_step": seconds, "images_per_second": self.batch_size / seconds}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with self.writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self.writer.flush()


class SampleGrid(keras.callbacks.Callback):
    """Draws fixed captions with fixed seeds by the averaged generator, every few intervals.

    Args:
        workdir: The run's folder; pictures go to `samples/` in it and to TensorBoard.
        tokens: int32 `[N, T]`, the captions' token ids.
        seeds: How many seeds a caption.
        interval: Steps an epoch.
        every: Epochs between two grids.
    """

    def __init__(self, workdir, tokens, seeds, interval, every=1):
        super().__init__()
        self.folder = Path(workdir) / "samples"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.writer = tf.summary.create_file_writer(str(workdir))
        self.tokens = np.repeat(tokens, seeds, axis=0)
        self.seeds = np.tile(np.arange(seeds, dtype=np.int64), len(tokens))
        self.columns = seeds
        self.interval = interval
        self.every = every

    def on_train_begin(self, logs=None):
        network = TextToImage(self.model.text_encoder, self.model.ema_generator)
        self.draw = tf.function(
            lambda tokens, seeds: [to_uint8(i) for i in network(tokens, seeds)["images"]]
        )

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every:
            return
        step = (epoch + 1) * self.interval
        for stage, images in enumerate(self.draw(self.tokens, self.seeds)):
            rows = images.numpy().reshape(-1, self.columns, *images.shape[1:])
            picture = grid(rows)
            with self.writer.as_default(step=step):
                tf.summary.image(f"samples/stage_{stage}", picture[None])
        save_png(self.folder / f"step_{step:07d}.png", picture)
        self.writer.flush()


class SaveCheckpoint(keras.callbacks.Callback):
    """Saves the run, and the model directory made from it, at the end of every interval.

    Args:
        checkpointer: A `Checkpointer`.
        interval: Steps an epoch.
        export: Called with the step after each save; writes the model directory.
    """

    def __init__(self, checkpointer, interval, export):
        super().__init__()
        self.checkpointer = checkpointer
        self.interval = interval
        self.export = export

    def on_epoch_end(self, epoch, logs=None):
        step = (epoch + 1) * self.interval
        self.checkpointer.save(step)
        self.export(step)
