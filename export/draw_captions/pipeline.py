"""The Beam pipeline that draws; it is imported only where apache-beam is."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import apache_beam as beam
import numpy as np
import tensorflow as tf
from apache_beam.ml.inference.base import ModelHandler, RunInference

from t2i_tf.models.images import save_png

Rows = list[dict]  # of the index, that are drawn together


class Drawer(ModelHandler[Rows, tuple[Rows, np.ndarray], tf.Module]):
    """Draws groups of rows by the signature `generate` of a SavedModel.

    Args:
        folder: The SavedModel.
    """

    def __init__(self, folder: str):
        super().__init__()
        self._folder = folder

    def load_model(self) -> tf.Module:
        """Loads the SavedModel, once for each process."""
        return tf.saved_model.load(self._folder)

    def run_inference(
        self, batch: Sequence[Rows], model: tf.Module, inference_args: dict | None = None
    ) -> Iterator[tuple[Rows, np.ndarray]]:
        """Draws each group as a batch of its own; yields it with its pictures."""
        draw = model.signatures["generate"]
        for rows in batch:
            texts = tf.constant([row["text"] for row in rows])
            seeds = tf.constant([row["seed"] for row in rows], tf.int64)
            yield rows, draw(text=texts, seed=seeds)["image"].numpy()

    def batch_elements_kwargs(self) -> dict[str, int]:
        """Groups are batches already."""
        return {"max_batch_size": 1}


def build(pipeline: beam.Pipeline, plans: Sequence[Path], model: Path, batch_size: int) -> None:
    """Reads the plans, draws what is missing and writes the pictures beside them.

    Args:
        pipeline: The pipeline.
        plans: Files that `Job.plan` wrote.
        model: The SavedModel.
        batch_size: Rows of a group.
    """
    _ = (
        pipeline
        | "plans" >> beam.Create([str(plan.absolute()) for plan in plans])
        | "missing" >> beam.FlatMap(_missing, batch_size)
        | "to all workers" >> beam.Reshuffle()
        | "draw" >> RunInference(Drawer(str(model.absolute())))
        | "write" >> beam.Map(_write)
    )


def _missing(plan: str, batch_size: int) -> Iterator[Rows]:
    """The groups of a plan of which a picture is missing."""
    folder = Path(plan).parents[1]
    with open(plan, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    for row in rows:
        row["path"] = str(folder / row["file_name"])
    for start in range(0, len(rows), batch_size):
        group = rows[start : start + batch_size]
        if not all(Path(row["path"]).exists() for row in group):
            yield group


def _write(drawn: tuple[Rows, np.ndarray]) -> None:
    for row, picture in zip(*drawn, strict=True):
        save_png(row["path"], picture, row["text"])
