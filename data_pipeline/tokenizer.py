"""Splits captions into words as the published text encoders expect them.

The recipe is AttnGAN's: pairs of U+FFFD (which stand for spaces in the published captions) become a
space, everything is lower-cased, runs of letters, digits and underscores are words, characters
outside ASCII are dropped from them and words that become empty are left out. `tokenize` is the
recipe in plain Python; `tokenize_tf` is the same in core TensorFlow ops, so that an exported model
needs nothing else to read raw text.
"""

import re

import tensorflow as tf

from data_pipeline.support.text import clean_caption

_WORD = re.compile(r"\w+")


def tokenize(text: str) -> list[str]:
    """The caption's words, in order: lower-case, ASCII, never empty."""
    words = _WORD.findall(clean_caption(text).lower())
    if text.isascii():
        return words
    ascii_words = (word.encode("ascii", "ignore").decode("ascii") for word in words)
    return [word for word in ascii_words if word]


def tokenize_tf(texts: tf.Tensor) -> tf.RaggedTensor:
    """`tokenize` for a batch, in core TensorFlow ops.

    Args:
        texts: string `[B]`, UTF-8; bytes that are not valid UTF-8 separate words.

    Returns:
        The words, string `[B, None]`. The result differs from `tokenize` on code points only that
        the two Unicode tables (Python's and TensorFlow's) disagree about, all of them unassigned
        in one of the two.
    """
    # Control characters become spaces here because lower() would end the text at a NUL.
    texts = tf.strings.unicode_transcode(
        texts, "UTF-8", "UTF-8", replacement_char=ord(" "), replace_control_characters=True
    )
    texts = tf.strings.lower(texts, encoding="utf-8")
    texts = tf.strings.regex_replace(texts, r"[^\pL\pN_]+", " ")
    texts = tf.strings.regex_replace(texts, r"[^\x00-\x7F]+", "")
    return tf.strings.split(texts)
