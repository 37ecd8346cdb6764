"""What both trainers share: flags, strategy, the run's folder, resuming, and the call of fit."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf
from absl import flags
from ml_collections import config_flags

from data_pipeline.dataset import Split
from data_pipeline.errors import UserError
from data_pipeline.progress import Progress
from data_pipeline.scratch import locked
from t2i_tf import model_directory, replicas
from t2i_tf.attngan import TWIN_ROWS
from t2i_tf.callbacks import (
    Board,
    MetricsWriter,
    Profile,
    SaveCheckpoint,
    StopOnSignal,
    StopWhenNotFinite,
    TrainingProgress,
)
from t2i_tf.callbacks.base import writing
from t2i_tf.checkpoints import Checkpointer
from t2i_tf.trainer import NetworkFacts

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def define_flags():
    """Defines the flags of both trainers."""
    config_flags.DEFINE_config_file("config", None, "Experiment, a file in configs/.")
    flags.DEFINE_string("data_dir", None, "Data set of data_pipeline.build_tfrecords.")
    flags.DEFINE_string("workdir", None, "Folder of this run.")
    flags.DEFINE_enum("strategy", "auto", replicas.STRATEGIES, "Devices that train together.")
    flags.DEFINE_integer(
        "cpu_devices", 1, "Logical devices of the CPU, to try a strategy.", lower_bound=1
    )
    flags.DEFINE_list("profile", None, "FIRST,LAST step of this call that is traced.")
    flags.mark_flags_as_required(["config", "data_dir", "workdir"])


def check(config):
    """Checks the numbers of `config.train` against each other and the strategy in scope.

    Raises:
        UserError: They do not fit.
    """
    train, count = config.train, replicas.count()
    # Captions are compared with those of the batch's other pictures.
    least = {"batch_size": 2 * count, "steps": 1, "steps_per_checkpoint": 1}
    least |= {"steps_per_execution": 1, "checkpoints_per_sample": 1}
    for name in train:
        if train[name] < least.get(name, train[name]):
            raise UserError(f"train.{name}={train[name]} must be at least {least[name]}")
        if name.endswith("learning_rate") and not train[name] >= 0:
            raise UserError(f"train.{name}={train[name]} must be at least 0")
    if config.data.max_words < 1:
        raise UserError(f"data.max_words={config.data.max_words} must be at least 1")
    if train.batch_size % count:
        raise UserError(f"train.batch_size={train.batch_size} is no multiple of {count} replicas")
    if train.steps % train.steps_per_checkpoint:
        raise UserError(
            f"train.steps={train.steps} is no multiple of "
            f"train.steps_per_checkpoint={train.steps_per_checkpoint}"
        )
    if train.steps_per_checkpoint % train.steps_per_execution:
        raise UserError(
            f"train.steps_per_checkpoint={train.steps_per_checkpoint} is no multiple of "
            f"train.steps_per_execution={train.steps_per_execution}"
        )
    if train.precision not in PRECISIONS:
        raise UserError(f"train.precision={train.precision} must be one of {', '.join(PRECISIONS)}")
    if count > 1:
        rows = train.batch_size // count
        if train.get("diversity_weight") and rows % TWIN_ROWS:
            raise UserError(
                f"train.diversity_weight takes replicas of a multiple of {TWIN_ROWS} images, not "
                f"{rows}: change train.batch_size={train.batch_size}"
            )
        one_only = {
            "steps_per_execution": train.steps_per_execution > 1,
            "precision": train.precision == "mixed_float16",
            "jit_compile": train.jit_compile and not tf.config.list_physical_devices("GPU"),
        }
        for name in (name for name, wanted in one_only.items() if wanted):
            raise UserError(f"train.{name}={train[name]} does not work with {count} replicas")


@contextlib.contextmanager
def run_in(workdir, config):
    """Makes the run's folder, or checks that it holds this very run; seeds the initial weights.

    No other process can train in the folder meanwhile.

    Args:
        workdir: The run's folder.
        config: The resolved config.

    Raises:
        UserError: The folder holds a run of another config, one that trains right now, or cannot be
            made.
    """
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
    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    with contextlib.ExitStack() as stack:
        if replicas.is_first_worker():
            stack.enter_context(locked(workdir, workdir))
        yield


def batches(split, config, image_sizes, step):
    """The training batches from a step on, each replica's part of them under a strategy."""
    train, data, strategy = config.train, config.data, tf.distribute.get_strategy()
    worker, workers = replicas.worker()
    rows = train.batch_size // workers

    def of_worker(_):
        return split.train_batches(
            batch_size=train.batch_size // replicas.count(),
            image_sizes=image_sizes,
            max_words=data.max_words,
            seed=config.seed,
            start=step * train.batch_size,
            share=(worker * rows, rows, train.batch_size),
            flip=data.flip,
            crop_jitter=data.crop_jitter,
            exchange_words=data.exchange_words,
        )

    if replicas.count() == 1:
        return of_worker(None)
    return strategy.distribute_datasets_from_function(of_worker)


def fit(
    model,
    owners,
    config,
    split: Split,
    workdir,
    *,
    image_sizes,
    export: Callable[[int], None],
    shown,
    watchers: Callable[[Board], list],
    profile=None,
):
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
        watchers: Makes further callbacks; they run before metrics and checkpoint are written.
        profile: First and last step to trace, counted from 1 where this call begins, or None.

    Raises:
        UserError: A loss became NaN, the disk is full, there are no such steps to trace, or another
            worker ended or is at another step.
        SystemExit: A signal asked to stop; the step is saved.
    """
    train = config.train
    interval = train.steps_per_checkpoint
    checkpointer = Checkpointer(Path(workdir) / "checkpoints", owners)
    step = checkpointer.restore()
    _agree(step, workdir)
    if profile and step < train.steps:
        profile = _steps_to_trace(profile, train.steps - step)
    first = replicas.is_first_worker()
    if first:
        with writing(workdir):
            model_directory.write_config(Path(workdir) / model_directory.CONFIG, config)
    if step:
        print(f"{workdir}: going on from step {step}")
    if step >= train.steps:
        print(f"{workdir}: already trained for {step} steps")
        if first:
            export(step)
        return
    with Progress(train.steps, "steps", start=step) as progress:
        callbacks = [StopOnSignal(step)]
        if first:
            board = Board(workdir)
            board.hparams(config.to_dict())
            callbacks = [
                TrainingProgress(progress, step, shown),
                NetworkFacts(),
                StopWhenNotFinite(step, workdir),
                *watchers(board),
                MetricsWriter(board, step, train.batch_size),
                SaveCheckpoint(checkpointer, step, workdir, export),
                *callbacks,
            ]
            if profile:
                callbacks.insert(0, Profile(workdir, *profile))
        while step < train.steps:
            # A run that a signal stopped within an interval first does the rest of that one.
            rest = interval - step % interval
            epoch = step // interval
            epochs = train.steps // interval if rest == interval else epoch + 1
            with _together(workdir):
                model.fit(
                    batches(split, config, image_sizes, step),
                    initial_epoch=epoch,
                    epochs=epochs,
                    steps_per_epoch=rest,
                    verbose=0,
                    shuffle=False,
                    callbacks=callbacks,
                )
            step = epochs * interval


def _agree(step, workdir):
    """Ends all workers unless they have restored the same step."""
    firsts = replicas.of_first_worker(step)
    if replicas.any_worker(step != firsts):
        raise UserError(
            f"{workdir}: this worker is at step {step}, the first at step {firsts}, and they "
            "must agree: give all workers one --workdir, where each sees the same checkpoints"
        )


@contextlib.contextmanager
def _together(workdir):
    """Names what is wrong where another worker is gone."""
    try:
        yield
    except tf.errors.OpError as error:
        if replicas.worker()[1] == 1:
            raise
        raise UserError(
            f"{workdir}: the workers no longer train together, the one that ended first says why "
            f"({error.message.splitlines()[0]}); once all are started again they go on from the "
            "last checkpoint"
        ) from error


def _steps_to_trace(profile, left):
    try:
        first, last = map(int, profile)
    except ValueError:
        first, last = 0, 0
    if not 1 <= first <= last <= left:
        raise UserError(
            f"--profile={','.join(profile)}: give FIRST,LAST, two of the {left} steps that are "
            "left, counted from 1"
        )
    return first, last


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
