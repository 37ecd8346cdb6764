"""Checkpoints that hold every variable that a run changes, by name."""

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from data_pipeline.support.errors import UserError
from data_pipeline.support.files import write_text

LIST = "checkpoint"  # TensorFlow's name of the file
FROZEN = "frozen"  # the name of the frozen networks' fingerprint


class Checkpointer:
    """Saves and restores all variables of a model's networks and optimizers, and the step.

    The variables go into one flat `tf.train.Checkpoint`: object-based tracking silently skips
    variables in Python lists. A checkpoint's files are complete before the list of checkpoints
    names them, so a run killed while saving restores the one before.

    Of frozen networks, which a run is given each time that it starts, a checkpoint holds only a
    fingerprint of their weights.

    Args:
        directory: Folder of the checkpoints.
        owners: Networks and optimizers with distinct names, built.
        keep: Number of checkpoints to keep.
        frozen: Networks that the run does not change, with their weights.

    Raises:
        ValueError: Two owners have the same name.
    """

    def __init__(
        self,
        directory: str | Path,
        owners: Sequence[keras.Model | keras.optimizers.Optimizer],
        keep: int = 2,
        frozen: Sequence[keras.Model] = (),
    ):
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._variables = {"step": self.step} | _named(owners)
        self._frozen, self._given = frozen, _fingerprint(frozen)
        self._saved = tf.Variable(self._given, dtype=tf.int64, trainable=False)
        fingerprint = {FROZEN: self._saved} if frozen else {}
        self._checkpoint = tf.train.Checkpoint(**self._variables, **fingerprint)
        self._checkpoint.save_counter  # noqa: B018  Creating it needs all workers; saving does not.
        _list_what_is_there(Path(directory))
        self._manager = tf.train.CheckpointManager(self._checkpoint, str(directory), keep)

    def restore(self) -> int:
        """Restores the newest readable checkpoint and returns its step, 0 where there is none.

        Files that an interrupted save left behind are removed.

        Raises:
            OSError: There are checkpoints, but none of them can be restored.
            UserError: The run began with other frozen networks.
        """
        for leftover in Path(self._manager.directory).glob("*_temp"):
            shutil.rmtree(leftover, ignore_errors=True)
        for path in reversed(self._manager.checkpoints):
            try:
                self._restore(path)
            except (tf.errors.OpError, IndexError, AssertionError, ValueError) as error:
                reason = str(error).splitlines()[0]
                logging.warning("%s cannot be restored, trying the one before: %s", path, reason)
                continue
            if self._saved.numpy() != self._given:
                names = " and ".join(network.name for network in self._frozen)
                raise UserError(
                    f"{self._manager.directory}: the run began with another {names}; give it the "
                    "same ones, or choose another folder"
                )
            return int(self.step.numpy())
        if self._manager.checkpoints:
            raise OSError(
                f"no checkpoint in {self._manager.directory} can be restored; "
                "remove the folder to start anew"
            )
        return 0

    def _restore(self, path):
        holds = {name.partition("/")[0] for name, _ in tf.train.list_variables(path)}
        if not self._frozen or FROZEN in holds:
            self._checkpoint.restore(path).assert_consumed()
            return
        # Checkpoints of earlier versions hold the frozen networks themselves.
        whole = tf.train.Checkpoint(**self._variables, **_named(self._frozen))
        whole.restore(path).assert_consumed()
        self._saved.assign(_fingerprint(self._frozen))

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
        variables = owner.variables() if callable(owner.variables) else owner.variables
        for i, variable in enumerate(variables):
            name = f"{owner.name}.{i:03d}.{variable.name}"
            if name in named:
                raise ValueError(f"two owners are called {owner.name!r}")
            named[name] = variable.value
    return named


def _list_what_is_there(directory):
    """Lists a folder's checkpoints anew if their list is lost, by a power cut say, or strange.

    TensorFlow takes a list that lacks the times, or names what is not there, for an empty one.
    """
    try:
        listed = tf.train.get_checkpoint_state(str(directory))
    except ValueError:  # The list is empty.
        listed = None
    numbered = (
        (re.fullmatch(r"ckpt-(\d+)", path.stem), path) for path in directory.glob("*.index")
    )
    found = {int(match[1]): path for match, path in numbered if match}
    whole = listed and len(listed.all_model_checkpoint_timestamps) == len(
        listed.all_model_checkpoint_paths
    )
    if whole:
        files = {path.with_suffix("") for path in found.values()}
        whole = files.intersection(map(Path, listed.all_model_checkpoint_paths))
    if found and not whole:
        paths = [found[number] for number in sorted(found)]
        names = [path.stem for path in paths]
        logging.warning(
            "%s is lost or damaged, listing %s anew", directory / LIST, ", ".join(names)
        )
        lines = [f'model_checkpoint_path: "{names[-1]}"']
        for name, path in zip(names, paths, strict=True):
            lines.append(f'all_model_checkpoint_paths: "{name}"')
            lines.append(f"all_model_checkpoint_timestamps: {path.stat().st_mtime}")
        write_text(directory / LIST, "\n".join(lines) + "\n")


def _fingerprint(networks):
    """A number of 64 bits that differs between networks of different weights."""
    digest = hashlib.sha256()
    for network in networks:
        for weight in network.get_weights():
            digest.update(weight.tobytes())
    return int.from_bytes(digest.digest()[:8], "little", signed=True)
