"""Exports a model directory as a SavedModel: text in, pictures out, in core TensorFlow ops only.

    python -m export.saved_model --model_dir=<model> --output_dir=served/birds

writes served/birds/1 (the next time 2, ...), which TensorFlow Serving and `tf.saved_model.load`
read without this package. B and the captions' length are free; T is the batch's longest caption.

    signature            inputs                          outputs
    serving_default      text [B]                        image_bytes [B], PNG
    generate             text [B], seed int64 [B]        image uint8 [B, H, W, 3]
    generate_from_noise  text [B], noise float32 [B, Z]  image; image_float in [-1, 1]
    explain              text [B], seed int64 [B]        image_0, image_1, ... uint8, each stage's;
                                                         attention_1, ... float32 [B, h, w, T];
                                                         tokens string [B, T], padded with ""
    encode_text          text [B]                        words [B, T, E]; sentence [B, E];
                                                         mask bool [B, T]

A picture is a pure function of (text, seed) or of (text, noise). `serving_default` takes as seed
`tf.strings.to_hash_bucket_fast(text, 2**62)`, so that a text always gives the same picture, and
`generate` with that seed gives it too. Unknown words are left out, and words beyond the model's
`max_words`; a text without a known word fails the request with InvalidArgument, naming its row.
"""

import os
import shutil
import tempfile
from pathlib import Path

import keras
import tensorflow as tf
from absl import flags

from data_pipeline.errors import UserError, run
from data_pipeline.files import check_room
from export import warmup
from export.endpoints import Endpoints
from export.folding import fold
from t2i_tf import model_card, model_directory

BYTES = 5  # of the files for each number, the graphs included


def export(
    model_dir: str | Path,
    output_dir: str | Path,
    version: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes a model as `<output_dir>/<version>`, whole or not at all.

    Args:
        model_dir: A model directory with a generator.
        output_dir: The folder of all versions, what TensorFlow Serving calls the base path.
        version: None for one more than the largest there is.
        overwrite: Whether an existing version may be replaced.

    Returns:
        The version's folder.

    Raises:
        UserError: `model_dir` is no model directory, the version exists already, or it cannot be
            written.
    """
    output_dir = Path(output_dir)
    if output_dir.exists() and not output_dir.is_dir():
        raise UserError(f"--output_dir={output_dir} is a file: give a folder")
    if version is None:
        version = _next_version(output_dir)
    target = output_dir / str(version)
    if target.exists() and not overwrite:
        raise UserError(f"{target} exists already: give another --version or --overwrite")
    model = model_directory.load(model_dir)
    card = model_card.served_card(model_directory.find(model_dir), model.config)
    partial, replaced = (output_dir / f".{version}.{state}" for state in ("partial", "replaced"))
    for leftover in (partial, replaced):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        numbers = model.generator.count_params() + model.text_encoder.count_params()
        check_room(output_dir, BYTES * numbers)
        _write(model, partial)
        extra = partial / "assets.extra"
        extra.mkdir()
        (extra / model_directory.CARD).write_text(card, encoding="utf-8")
        warmup.write(extra / warmup.FILE, model, output_dir.resolve().name)
        if target.exists():
            os.replace(target, replaced)
        os.replace(partial, target)
    except (OSError, tf.errors.OpError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        reason = error.strerror if isinstance(error, OSError) else error.message.splitlines()[0]
        raise UserError(f"cannot write {target}: {reason}") from error
    shutil.rmtree(replaced, ignore_errors=True)
    return target


def _write(model, path):
    """Writes the SavedModel; the generator can only draw afterwards.

    Only the table is tracked: the archive finds the variables that the endpoints use by itself
    and would store those of tracked networks a second time. All signatures share them; as constants
    in the graphs they would be stored five times and draw no faster. The vocabulary comes from a
    temporary folder because the table's name in the graph holds the path that it was read from.
    """
    fold(model.generator)
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


def main(_):
    """Exports what the flags name."""
    tf.get_logger().setLevel("WARNING")
    options = flags.FLAGS
    path = export(options.model_dir, options.output_dir, options.version, options.overwrite)
    print(f"The SavedModel is in {path}")


if __name__ == "__main__":
    flags.DEFINE_string("model_dir", str(model_directory.BUNDLED), "Model directory.")
    flags.DEFINE_string("output_dir", None, "Folder of all the versions.", required=True)
    flags.DEFINE_integer("version", None, "Default: one more than the largest.", lower_bound=1)
    flags.DEFINE_boolean("overwrite", False, "Whether an existing version may be replaced.")
    run(main)
