"""Checkpoints that hold every variable of a run, by name."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from data_pipeline.support.files import write_text

LIST = "checkpoint"  # TensorFlow's name of the file


class Checkpointer:
    """Saves and restores all variables of a model's networks and optimizers, and the step.

    The variables go into one flat `tf.train.Checkpoint`: object-based tracking silently skips
    variables in Python lists. A checkpoint's files are complete before the list of checkpoints
    names them, so a run killed while saving restores the one before.

    Args:
        directory: Folder of the checkpoints.
        owners: Networks and optimizers with distinct names, built.
        keep: Number of checkpoints to keep.

    Raises:
        ValueError: Two owners have the same name.
    """

    def __init__(
        self,
        directory: str | Path,
        owners: Sequence[keras.Model | keras.optimizers.Optimizer],
        keep: int = 2,
    ):
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._checkpoint = tf.train.Checkpoint(step=self.step, **_named(owners))
        self._checkpoint.save_counter  # noqa: B018  Creating it needs all workers; saving does not.
        _list_what_is_there(Path(directory))
        self._manager = tf.train.CheckpointManager(self._checkpoint, str(directory), keep)

    def restore(self) -> int:
        """Restores the newest readable checkpoint and returns its step, 0 where there is none.

        Files that an interrupted save left behind are removed.

        Raises:
            OSError: There are checkpoints, but none of them can be restored.
        """
        for leftover in Path(self._manager.directory).glob("*_temp"):
            shutil.rmtree(leftover, ignore_errors=True)
        for path in reversed(self._manager.checkpoints):
            try:
                self._checkpoint.restore(path).assert_consumed()
            except (tf.errors.OpError, IndexError, AssertionError, ValueError) as error:
                reason = str(error).splitlines()[0]
                logging.warning("%s cannot be restored, trying the one before: %s", path, reason)
                continue
            return int(self.step.numpy())
        if self._manager.checkpoints:
            raise OSError(
                f"no checkpoint in {self._manager.directory} can be restored; "
                "remove the folder to start anew"
            )
        return 0

    def save(self, step: int) -> Path:
        """Writes a checkpoint of the state after `step` steps; it then survives a power cut."""
        self.step.assign(step)
        path = Path(self._manager.save(checkpoint_number=step))
        for written in (*path.parent.glob(f"{path.name}.*"), path.parent / LIST, path.parent):
            descriptor = os.open(written, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
        return path


def read(path: str | Path, owners: Sequence[keras.Model]) -> None:
    """Reads some networks from a checkpoint that holds them among others.

    Raises:
        AssertionError: The checkpoint lacks variables of the networks.
    """
    checkpoint = tf.train.Checkpoint(**_named(owners))
    checkpoint.restore(str(path)).expect_partial().assert_existing_objects_matched()


def _named(owners):
    """The owners' variables by the names that they have in a checkpoint."""
    named = {}
    for owner in owners:
        for i, variable in enumerate(_variables(owner)):
            name = f"{owner.name}.{i:03d}.{variable.name}"
            if name in named:
                raise ValueError(f"two owners are called {owner.name!r}")
            named[name] = variable.value
    return named


def _list_what_is_there(directory):
    """Lists a folder's checkpoints anew if their list is lost, for example by a power cut."""
    try:
        listed = tf.train.get_checkpoint_state(str(directory))
    except ValueError:  # The list is empty.
        listed = None
    found = {int(path.stem.rpartition("-")[2]): path for path in directory.glob("ckpt-*.index")}
    if found and not listed:
        paths = [found[number] for number in sorted(found)]
        names = [path.stem for path in paths]
        logging.warning("%s is lost, listing %s anew", directory / LIST, ", ".join(names))
        lines = [f'model_checkpoint_path: "{names[-1]}"']
        for name, path in zip(names, paths, strict=True):
            lines.append(f'all_model_checkpoint_paths: "{name}"')
            lines.append(f"all_model_checkpoint_timestamps: {path.stat().st_mtime}")
        write_text(directory / LIST, "\n".join(lines) + "\n")


def _variables(owner):
    variables = owner.variables
    return variables() if callable(variables) else variables
