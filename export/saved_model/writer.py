"""Writes the folder of a version: graphs, weights, vocabulary, model card and warm-up requests."""

import dataclasses
import tempfile
from pathlib import Path

import keras
import tensorflow as tf

from data_pipeline.support.errors import UserError
from data_pipeline.support.files import check_room
from data_pipeline.support.scratch import appearing
from export.saved_model import warmup
from export.saved_model.card import served_card
from export.saved_model.endpoints import Endpoints
from export.saved_model.folding import folded
from t2i_tf.models import model_directory

PRECISIONS = ("float32", "bfloat16")
BYTES = 5  # of the files for each number, the graphs included


def export(
    model_dir: str | Path,
    output_dir: str | Path,
    version: int | None = None,
    overwrite: bool = False,
    max_words: int | None = None,
    precision: str = "float32",
) -> Path:
    """Writes a model as `<output_dir>/<version>`, whole or not at all.

    Args:
        model_dir: What `model_directory.find` takes; the model must have a generator.
        output_dir: The folder of all versions, what TensorFlow Serving calls the base path.
        version: None for one more than the largest there is.
        overwrite: Whether an existing version may be replaced.
        max_words: Words that are read of a caption; by default those of the model's config.
        precision: One of `PRECISIONS`, the type of the generator's weights and arithmetic.

    Returns:
        The version's folder.

    Raises:
        UserError: `model_dir` is no model directory, the precision is unknown, the version exists
            already, or it cannot be written.
    """
    if precision not in PRECISIONS:
        raise UserError(f"precision={precision}: expected one of {', '.join(PRECISIONS)}")
    output_dir = Path(output_dir)
    if output_dir.exists() and not output_dir.is_dir():
        raise UserError(f"{output_dir} is a file: give a folder")
    if version is None:
        version = _next_version(output_dir)
    target = output_dir / str(version)
    if target.exists() and not overwrite:
        raise UserError(f"{target} exists already: give another version, or overwrite it")
    model = model_directory.load(model_dir, max_words=max_words)
    directory, tokenizer = model_directory.find(model_dir), model.vocabulary.tokenizer
    card = served_card(directory, model.config, precision, tokenizer)
    try:
        with appearing(target, replace=overwrite) as folder:
            numbers = model.generator.count_params() + model.text_encoder.count_params()
            check_room(folder, BYTES * numbers)
            _write(model, folder, precision)
            extra = folder / "assets.extra"
            extra.mkdir()
            (extra / model_directory.CARD).write_text(card, encoding="utf-8")
            warmup.write(extra / warmup.FILE, model, output_dir.resolve().name)
    except (OSError, tf.errors.OpError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.message.splitlines()[0]
        raise UserError(f"cannot write {target}: {reason}") from error
    return target


def _write(model, path, precision):
    """Writes graphs, weights and vocabulary.

    Only the table is tracked: the archive finds the variables that the endpoints use by itself
    and would store those of tracked networks a second time. All signatures share them; as constants
    in the graphs they would be stored five times and draw no faster. The vocabulary comes from a
    temporary folder because the table's name in the graph holds the path that it was read from.
    """
    model = dataclasses.replace(model, generator=folded(model.generator, precision))
    with tempfile.TemporaryDirectory() as folder:
        vocabulary = Path(folder) / model_directory.VOCABULARY
        model.vocabulary.save(vocabulary)
        endpoints = Endpoints(model, vocabulary)
        archive = keras.export.ExportArchive()
        archive.track(endpoints.table)
        text = tf.TensorSpec([None], tf.string, "text")
        seed = tf.TensorSpec([None], tf.int64, "seed")
        noise = tf.TensorSpec([None, model.generator.noise_dim], tf.float32, "noise")
        archive.add_endpoint("serving_default", endpoints.serving_default, [text])
        archive.add_endpoint("generate", endpoints.generate, [text, seed])
        archive.add_endpoint("generate_from_noise", endpoints.generate_from_noise, [text, noise])
        archive.add_endpoint("explain", endpoints.explain, [text, seed])
        archive.add_endpoint("encode_text", endpoints.encode_text, [text])
        archive.write_out(str(path), verbose=False)


def _next_version(output_dir):
    versions = [int(path.name) for path in output_dir.glob("*") if path.name.isdecimal()]
    return max(versions, default=0) + 1
