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
from data_pipeline.tokenizer import tokenize_tf
from t2i_tf import model_directory
from t2i_tf.text_to_image import TextToImage, to_uint8

HASH_BUCKETS = 2**62
LONGEST_SHOWN = 80  # bytes of a text in an error


class Endpoints:
    """The signatures' functions, on string tensors.

    Args:
        model: A model with a generator.
        vocabulary_path: The model's vocabulary file, kept in the SavedModel as an asset.
    """

    def __init__(self, model: model_directory.ModelDirectory, vocabulary_path: str | Path):
        self.network = TextToImage(model.text_encoder, model.generator)
        self.max_words = model.config.data.max_words
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                str(vocabulary_path),
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            default_value=0,
        )

    def serving_default(self, text):
        """PNG files of the texts, each with its own hash as seed."""
        seed = tf.strings.to_hash_bucket_fast(text, HASH_BUCKETS)
        images = self.generate(text, seed)["image"]
        png = tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.TensorSpec([], tf.string))
        return {"image_bytes": png}

    def generate(self, text, seed):
        """The last stage's images."""
        tokens, _ = self._read(text)
        return {"image": to_uint8(self._draw(self.network, tokens, seed)["images"][-1])}

    def generate_from_noise(self, text, noise):
        """The last stage's images of given noise, the condition at its mean."""
        tokens, _ = self._read(text)
        image = self._draw(self.network.from_noise, tokens, noise)["images"][-1]
        return {"image": to_uint8(image), "image_float": image}

    def explain(self, text, seed):
        """Every stage's images and attention, and the words that the attention is over."""
        tokens, words = self._read(text)
        drawn = self._draw(self.network, tokens, seed)
        images = {f"image_{i}": to_uint8(image) for i, image in enumerate(drawn["images"])}
        attention = {f"attention_{i}": maps for i, maps in enumerate(drawn["attention"], start=1)}
        return {**images, **attention, "tokens": words}

    def encode_text(self, text):
        """The text encoder's word features and sentence codes."""
        tokens, _ = self._read(text)
        words, sentence = self.network.text_encoder(tokens)
        return {"words": words, "sentence": sentence, "mask": tokens != 0}

    def _draw(self, network, tokens, inputs):
        """`network(tokens, inputs)`, run on a spare row where the batch is empty.

        TensorFlow's oneDNN convolutions give an empty batch the channels of their input.
        """
        rows = tf.shape(tokens)[0]
        spare = [0, 1 - tf.minimum(rows, 1)]
        tokens = tf.pad(tokens, [spare, [0, 0]], constant_values=1)
        inputs = tf.pad(inputs, [spare, *[[0, 0]] * (inputs.shape.rank - 1)])
        return tf.nest.map_structure(lambda values: values[:rows], network(tokens, inputs))

    def _read(self, text):
        """Token ids `[B, T]` and words `[B, T]`: `Vocabulary.encode`, cut to `max_words`.

        T is at least 1, so that a batch of no texts passes through the networks too.
        """
        words = tokenize_tf(text)
        ids = words.with_values(self.table.lookup(words.values))
        known = ids.with_values(ids.values != 0)
        words, ids = (tf.ragged.boolean_mask(part, known) for part in (words, ids))
        with tf.control_dependencies([_assert_known(text, ids.row_lengths() == 0)]):
            longest = tf.clip_by_value(ids.bounding_shape(axis=1), 1, self.max_words)
        shape = tf.stack([ids.nrows(), longest])
        ids, words = (part[:, : self.max_words].to_tensor(shape=shape) for part in (ids, words))
        return tf.cast(ids, tf.int32), words


def _assert_known(text, empty):
    """Fails where any of the texts is `empty`; the message names its row and shows it."""
    rows = tf.where(empty)[:, 0]
    shown = tf.strings.substr(tf.gather(text, rows), 0, LONGEST_SHOWN)
    shown = tf.strings.unicode_transcode(shown, "UTF-8", "UTF-8")
    named = tf.strings.join(["row ", tf.strings.as_string(rows), " (", shown, ")"])
    message = ["the model knows no word of ", tf.strings.reduce_join(named, separator=", ")]
    return tf.debugging.Assert(tf.size(rows) == 0, [tf.strings.join(message)])


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
    if version is None:
        version = _next_version(output_dir)
    target = output_dir / str(version)
    if target.exists() and not overwrite:
        raise UserError(f"{target} exists already: give another --version or --overwrite")
    model = model_directory.load(model_dir)
    partial, replaced = (output_dir / f".{version}.{state}" for state in ("partial", "replaced"))
    for leftover in (partial, replaced):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        _write(model, partial)
    except tf.errors.OpError as error:  # A file in the way, a full disk.
        shutil.rmtree(partial, ignore_errors=True)
        raise UserError(f"cannot write {target}: {error.message}") from error
    card = model_directory.find(model_dir) / model_directory.CARD
    if card.is_file():
        (partial / "assets.extra").mkdir()
        shutil.copy(card, partial / "assets.extra")
    if target.exists():
        os.replace(target, replaced)
    os.replace(partial, target)
    shutil.rmtree(replaced, ignore_errors=True)
    return target


def _write(model, path):
    """Writes the SavedModel.

    Only the table is tracked: the archive finds the variables that the endpoints use by itself
    and would store those of tracked networks a second time. The vocabulary comes from a temporary
    folder because the table's name in the graph holds the path that it was read from.
    """
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
