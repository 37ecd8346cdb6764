"""A training run: its folder, its data, its steps, and how it resumes."""

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from data_pipeline import service
from data_pipeline.dataset import Split
from data_pipeline.service import DataService
from data_pipeline.support.errors import UserError
from data_pipeline.support.files import write_text
from data_pipeline.support.progress import Progress
from data_pipeline.support.scratch import locked
from t2i_tf.models import model_directory
from t2i_tf.training.callbacks import (
    Board,
    DiscriminatorWatch,
    IntervalEnd,
    MetricsWriter,
    Profile,
    Snapshots,
    StopOnSignal,
    StopWhenNotFinite,
    TrainingProgress,
    Watcher,
)
from t2i_tf.training.callbacks.base import CallbackList, writing
from t2i_tf.training.machinery import replicas
from t2i_tf.training.machinery.checkpoints import Checkpointer
from t2i_tf.training.options import GanOptions, differences
from t2i_tf.training.trainer import Trainer

DATA = "data.fingerprint"  # the file that says what a run trains on


@dataclasses.dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        config: Its resolved config, checked.
        workdir: Its folder.
        split: The split that it trains on.
        profile: First and last step to trace, counted from 1 at the start of this process, or None.
        deterministic: Whether equal runs, resumed or not, must end with equal weights, bit for bit.
        data_service: Makes the batches elsewhere.
    """

    config: ConfigDict
    workdir: Path
    split: Split
    profile: Sequence[str] | None = None
    deterministic: bool = True
    data_service: DataService | None = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Makes the folder, or checks that it holds this same run; seeds the initial weights.

        No other process can train in the folder meanwhile.

        Raises:
            UserError: The folder holds a run of another config or on another data set or one that
                trains right now, or the folder cannot be made.
        """
        try:
            self.workdir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.workdir} cannot be made: {error.strerror}") from error
        path = self.workdir / model_directory.CONFIG
        if path.exists():
            before = _in_todays_sections(model_directory.read_config(path).to_dict())
            now = self.config.to_dict()
            if changed := differences(before, now) - _lengths(before["train"], now["train"]):
                raise UserError(
                    f"{self.workdir} holds a run of another config (it differs in "
                    f"{', '.join(sorted(changed))}); choose another folder"
                )
            self._check_data()
        keras.utils.set_random_seed(self.config.seed)
        if self.deterministic:
            tf.config.experimental.enable_op_determinism()
        with contextlib.ExitStack() as stack:
            if replicas.is_first_worker():
                stack.enter_context(locked(self.workdir, self.workdir))
                with writing(self.workdir):
                    write_text(self.workdir / DATA, f"{self.split.fingerprint}\n")
            yield

    def _check_data(self):
        """Raises a `UserError` if the run began on other data; runs of old versions do not tell."""
        try:
            before = (self.workdir / DATA).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return
        if before != self.split.fingerprint:
            raise UserError(
                f"{self.workdir} holds a run on other data than {self.split.data_dir} (words, "
                "pictures, captions or their order differ); give the same data, or choose another "
                "folder"
            )

    def fit(
        self,
        trainer: Trainer,
        export: Callable[[int], None],
        make_watchers: Callable[[Board], Sequence[Watcher]],
        snapshots: Snapshots | None = None,
    ) -> None:
        """Trains up to `config.train.steps`, resuming from the last checkpoint.

        Args:
            trainer: The compiled model.
            export: Called with the step after each checkpoint; writes the model directory.
            make_watchers: Makes the watchers of the run.
            snapshots: Keeps models of earlier steps.

        Raises:
            UserError: A figure became NaN, the disk is full, there are no such steps to trace, the
                run began with other frozen networks, or another worker ended or is at another step.
            SystemExit: A signal asked to stop; the step is saved.
        """
        train = self.config.train
        checkpointer = Checkpointer(
            self.workdir / "checkpoints", trainer.parts, frozen=trainer.frozen
        )
        start = checkpointer.restore()
        self._agree(start)
        traced = self._steps_to_trace(train.steps - start) if start < train.steps else None
        if replicas.is_first_worker():
            with writing(self.workdir):
                path = self.workdir / model_directory.CONFIG
                model_directory.write_config(path, self.config)
        print(f"{self.workdir}: training on {replicas.description()}")
        if start:
            print(f"{self.workdir}: going on from step {start}")
        if start >= train.steps:
            print(f"{self.workdir}: already trained for {start} steps")
            if replicas.is_first_worker():
                export(start)
            return

        def save(step):
            with writing(self.workdir / "checkpoints"):
                checkpointer.save(step)
            with writing(self.workdir / "model"):
                export(step)
                if snapshots:
                    snapshots.keep(step)

        alone = replicas.worker()[1] == 1
        stop = StopOnSignal(start, replicas.any_worker, alone)
        callbacks = [stop]
        with Progress(train.steps, "steps", start=start) as progress:
            if replicas.is_first_worker():
                checks = [snapshots.note] if snapshots else []
                callbacks += self._first_workers(
                    trainer, start, progress, make_watchers, checks, save
                )
                if traced:
                    callbacks.append(Profile(self.workdir, *traced))
            try:
                self._fit(trainer, start, callbacks)
            finally:
                stop.restore()
        if stop.received:
            step, name = stop.step, stop.received.name
            print(f"{name}: saved step {step}; the same command goes on from it", file=sys.stderr)
            raise SystemExit(128 + stop.received)

    def _first_workers(self, trainer, start, progress, make_watchers, checks, save):
        """The callbacks that write and show; only the first worker has them."""
        board = Board(self.workdir)
        board.hparams(self.config.to_dict())
        finite = StopWhenNotFinite(start, self.workdir)
        interval_end = IntervalEnd(
            start,
            self.config.train.batch_size,
            watchers=make_watchers(board),
            checks=[finite.check, DiscriminatorWatch(board, start).check, *checks],
            report=MetricsWriter(board, start, trainer.name).write,
            save=save,
        )
        return [TrainingProgress(progress, start, trainer.shown), finite, interval_end]

    def _fit(self, trainer, step, callbacks):
        """Calls Keras' `fit` with one interval per epoch."""
        train = self.config.train
        interval = train.steps_per_checkpoint
        while step < train.steps:
            # A run that a signal stopped inside an interval first does the rest of that interval.
            rest = interval - step % interval
            epoch = step // interval
            epochs = train.steps // interval if rest == interval else epoch + 1
            with self._together():
                trainer.fit(
                    self._batches(trainer.image_sizes, step),
                    initial_epoch=epoch,
                    epochs=epochs,
                    steps_per_epoch=rest,
                    verbose=0,
                    shuffle=False,
                    callbacks=CallbackList(callbacks, trainer),
                )
            if trainer.stop_training:
                return
            step = epochs * interval

    def _batches(self, image_sizes, step):
        """The training batches from a step on; under a strategy, each replica's part of them."""
        train, data, strategy = self.config.train, self.config.data, tf.distribute.get_strategy()
        worker, workers = replicas.worker()
        rows = train.batch_size // workers

        def of_worker(_):
            return self.split.train_batches(
                batch_size=train.batch_size // replicas.count(),
                image_sizes=image_sizes,
                max_words=data.max_words,
                seed=self.config.seed,
                start=step * train.batch_size,
                share=(worker * rows, rows, train.batch_size),
                flip=data.flip,
                crop_jitter=data.crop_jitter,
                exchange_words=data.exchange_words,
                service=self.data_service,
            )

        if replicas.count() == 1:
            return of_worker(None)
        return strategy.distribute_datasets_from_function(of_worker)

    def _agree(self, step):
        """Raises a `UserError` on all workers unless they have restored the same step."""
        first_workers_step = replicas.first_workers(step)
        if replicas.any_worker(step != first_workers_step):
            raise UserError(
                f"{self.workdir}: this worker is at step {step}, the first at step "
                f"{first_workers_step}, and they must agree: give all workers one --workdir, where "
                "each sees the same checkpoints"
            )

    @contextlib.contextmanager
    def _together(self):
        """Explains the error that TensorFlow raises when another worker has ended."""
        try:
            yield
        except tf.errors.OpError as error:
            if service.LOST in error.message:
                raise UserError(f"{service.LOST}; the same command goes on") from error
            if replicas.worker()[1] == 1:
                raise
            raise UserError(
                f"{self.workdir}: the workers no longer train together; the one that ended first "
                f"says why ({error.message.splitlines()[0]}); start all of them again to resume "
                "from the last checkpoint"
            ) from error

    def _steps_to_trace(self, left):
        if not self.profile:
            return None
        try:
            first, last = map(int, self.profile)
        except ValueError:
            first, last = 0, 0
        if not 1 <= first <= last <= left:
            raise UserError(
                f"profile {','.join(self.profile)}: give FIRST,LAST, two of the {left} steps that "
                "are left, counted from 1"
            )
        return first, last


def _in_todays_sections(config):
    """Turns an older run's config into the form that a run writes today.

    Older runs have the GAN's options in `train`. Before there were options for them, the statistics
    of DAMSM's pretrained trunk were fixed, and its Adam did not restart after an epoch.
    """
    train = config["train"]
    if "generator" not in config:
        pretrained = config["image_encoder"]["kind"] == "inception_v3"
        train.setdefault("trunk_statistics", "running" if pretrained else "batch")
        train.setdefault("adam_restart_steps", 0)
    elif "loss" not in config:
        names = [field.name for field in dataclasses.fields(GanOptions)]
        config["loss"] = {name: train.pop(name) for name in names if name in train}
    return config


def _lengths(*sections):
    """Names of the values that follow from a run's length, which may change between calls."""
    never_decays = all(train.get("decay_start") == train["steps"] for train in sections)
    return {"train.steps"} | ({"train.decay_start"} if never_decays else set())
