"""What both trainers share: the run's folder, resuming, and the call of fit."""

from pathlib import Path

import keras
import tensorflow as tf

from data_pipeline.dataset import Split
from data_pipeline.errors import UserError
from t2i_tf import model_directory
from t2i_tf.callbacks import MetricsWriter, SaveCheckpoint, TrainingProgress
from t2i_tf.checkpoints import Checkpointer


def prepare(config, workdir):
    """Makes the run's folder, or checks that it holds this very run; seeds the initial weights.

    Args:
        config: The resolved config; written to `config.json`.
        workdir: The run's folder.

    Raises:
        UserError: The folder holds a run of another config or cannot be made, or the numbers of
            steps or the batch size do not fit.
    """
    # Captions are compared with those of the batch's other pictures.
    for name, least in (("batch_size", 2), ("steps", 1), ("steps_per_checkpoint", 1)):
        if config.train[name] < least:
            raise UserError(f"train.{name}={config.train[name]} must be at least {least}")
    steps, interval = config.train.steps, config.train.steps_per_checkpoint
    if steps % interval:
        raise UserError(
            f"train.steps={steps} is no multiple of train.steps_per_checkpoint={interval}"
        )
    workdir = Path(workdir)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--workdir={workdir} cannot be made: {error.strerror}") from error
    path = workdir / model_directory.CONFIG
    if path.exists():
        changed = _differences(model_directory.read_config(path).to_dict(), config.to_dict())
        changed.discard("train.steps")
        if changed:
            raise UserError(
                f"{workdir} holds a run of another config (it differs in "
                f"{', '.join(sorted(changed))}); choose another --workdir"
            )
    model_directory.write_config(path, config)
    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()


def fit(model, owners, config, split: Split, workdir, *, image_sizes, export, shown, callbacks=()):
    """Trains a compiled model to `config.train.steps`, going on from the last checkpoint.

    Args:
        model: A compiled DAMSM or AttnGAN.
        owners: Its networks and optimizers; all their variables are saved.
        config: The run's config.
        split: The training split.
        workdir: The run's folder.
        image_sizes: Sides of the real images that the model trains on, smallest first.
        export: Called with the step after each checkpoint; writes the model directory.
        shown: Names of the losses on the progress bar.
        callbacks: Further callbacks; they run before the checkpoint is written.
    """
    train, data = config.train, config.data
    interval = train.steps_per_checkpoint
    checkpointer = Checkpointer(Path(workdir) / "checkpoints", owners)
    step = checkpointer.restore()
    if step:
        print(f"{workdir}: going on from step {step}")
    if step >= train.steps:
        print(f"{workdir}: already trained for {step} steps")
        export(step)
        return
    batches = split.train_batches(
        batch_size=train.batch_size,
        image_sizes=image_sizes,
        max_words=data.max_words,
        seed=config.seed,
        start=step * train.batch_size,
        flip=data.flip,
        crop_jitter=data.crop_jitter,
        exchange_words=data.exchange_words,
    )
    model.fit(
        batches,
        initial_epoch=step // interval,
        epochs=train.steps // interval,
        steps_per_epoch=interval,
        verbose=0,
        shuffle=False,
        callbacks=[
            TrainingProgress(train.steps, step, shown),
            MetricsWriter(workdir, step, interval, train.batch_size),
            *callbacks,
            SaveCheckpoint(checkpointer, interval, export),
        ],
    )


def _differences(old, new, prefix=""):
    """Dotted names of the values in which two nested dicts differ."""
    changed = set()
    for key in old.keys() | new.keys():
        name = f"{prefix}{key}"
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            changed |= _differences(a, b, f"{name}.")
        elif a != b and (list(a) if isinstance(a, tuple) else a) != (
            list(b) if isinstance(b, tuple) else b
        ):
            changed.add(name)
    return changed
