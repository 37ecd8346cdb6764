"""Writes TensorBoard's view of a run."""

import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams_api


class Board:
    """Writes a run's TensorBoard events.

    All callbacks of a run share one board, since TensorBoard may follow only the newest event file
    of a folder. The first write makes the file, so workers that write nothing leave no file.

    Args:
        workdir: The run's folder.
    """

    def __init__(self, workdir: str | Path):
        self.workdir = Path(workdir)

    @functools.cached_property
    def _writer(self):
        return tf.summary.create_file_writer(str(self.workdir))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes numbers by tag."""
        with self._writer.as_default(step=step):
            for tag, value in values.items():
                tf.summary.scalar(tag, value)
        self._writer.flush()

    def image(self, step: int, tag: str, picture: np.ndarray) -> None:
        """Writes a picture, uint8 `[H, W, 3]`."""
        with self._writer.as_default(step=step):
            tf.summary.image(tag, picture[None])
        self._writer.flush()

    def text(self, step: int, tag: str, line: str) -> None:
        """Writes a line of Markdown."""
        with self._writer.as_default(step=step):
            tf.summary.text(tag, line)
        self._writer.flush()

    def hparams(self, config: Mapping) -> None:
        """Writes a config for the HParams tab.

        Args:
            config: Nested dicts of plain values; names become dotted.
        """
        with self._writer.as_default(step=0):
            hparams_api.hparams(_flat(config))
        self._writer.flush()


def _flat(config, prefix=""):
    values = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            values |= _flat(value, f"{prefix}{name}.")
        else:
            plain = isinstance(value, bool | int | float | str)
            values[f"{prefix}{name}"] = value if plain else str(value)
    return values
