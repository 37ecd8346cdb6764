"""The signatures of an exported model, text in, pictures out.

They are in core TensorFlow ops, but for models that read wordpieces: these need tensorflow-text's.
"""

from pathlib import Path

import tensorflow as tf

from data_pipeline.pixels import to_uint8
from t2i_tf.models.model_directory import ModelDirectory
from t2i_tf.models.text_to_image import TokensToImage

HASH_BUCKETS = 2**62
LONGEST_SHOWN, MOST_SHOWN = 80, 10  # bytes of a text, and texts, in an error


class Endpoints:
    """The signatures' functions, on string tensors.

    Args:
        model: A model with a generator.
        vocabulary_path: The model's vocabulary file, kept in the SavedModel as an asset.
    """

    def __init__(self, model: ModelDirectory, vocabulary_path: str | Path):
        self.network = TokensToImage(model.text_encoder, model.generator)
        self.max_words = model.config.data.max_words
        self.vocabulary = model.vocabulary
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

    def serving_default(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """PNG files of the texts, each with its own hash as seed."""
        seed = tf.strings.to_hash_bucket_fast(text, HASH_BUCKETS)
        images = self.generate(text, seed)["image"]
        png = tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.TensorSpec([], tf.string))
        return {"image_bytes": png}

    def generate(self, text: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """The last stage's images."""
        tokens, _ = self._read(text)
        return {"image": to_uint8(self._draw(self.network, tokens, seed)["images"][-1])}

    def generate_from_noise(self, text: tf.Tensor, noise: tf.Tensor) -> dict[str, tf.Tensor]:
        """The last stage's images of given noise, the condition at its mean."""
        tokens, _ = self._read(text)
        image = self._draw(self.network.from_noise, tokens, noise)["images"][-1]
        return {"image": to_uint8(image), "image_float": image}

    def explain(self, text: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Every stage's images and attention, and the words that the attention is over."""
        tokens, words = self._read(text)
        drawn = self._draw(self.network, tokens, seed)
        images = {f"image_{i}": to_uint8(image) for i, image in enumerate(drawn["images"])}
        attention = {
            f"attention_{i}": tf.cast(maps, tf.float32)
            for i, maps in enumerate(drawn["attention"], start=1)
        }
        return {**images, **attention, "tokens": words}

    def encode_text(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
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
        words = self.vocabulary.tokenize_tf(text)
        ids = words.with_values(self.table.lookup(words.values))
        known = ids.with_values(ids.values != 0)
        words, ids = (tf.ragged.boolean_mask(part, known) for part in (words, ids))
        with tf.control_dependencies([_assert_known(text, ids.row_lengths() == 0)]):
            longest = tf.clip_by_value(ids.bounding_shape(axis=1), 1, self.max_words)
        shape = tf.stack([ids.nrows(), longest])
        ids, words = (part[:, : self.max_words].to_tensor(shape=shape) for part in (ids, words))
        return tf.cast(ids, tf.int32), words


def _assert_known(text, empty):
    """Fails where any of the texts is `empty`; the message names the rows and shows the texts.

    Only the first of them: a server sends messages in a header of a few kilobytes.
    """
    rows = tf.where(empty)[:, 0]
    first = rows[:MOST_SHOWN]
    shown = tf.strings.substr(tf.gather(text, first), 0, LONGEST_SHOWN)
    shown = tf.strings.unicode_transcode(
        shown, "UTF-8", "UTF-8", replacement_char=ord(" "), replace_control_characters=True
    )
    named = tf.strings.join(["row ", tf.strings.as_string(first), " (", shown, ")"])
    message = ["the model knows no word of ", tf.strings.reduce_join(named, separator=", ")]
    return tf.debugging.Assert(tf.size(rows) == 0, [tf.strings.join(message)])
