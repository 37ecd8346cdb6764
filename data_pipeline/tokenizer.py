"""Splits captions into words as the published text encoders expect them.

The recipe is AttnGAN's: pairs of U+FFFD (which stand for spaces in the published captions) become a
space, and the text is lower-cased. Words are runs of letters, digits and underscores; characters
outside ASCII are dropped from them, and words that become empty are left out. `tokenize` is the
recipe in plain Python; `tokenize_tf` uses core TensorFlow ops only, because an exported model must
read raw text without other code.
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
        The words, string `[B, None]`. The result differs from `tokenize` only on code points about
        which Python's and TensorFlow's Unicode tables disagree; all of them are unassigned in one
        of the two tables.
    """
    # Control characters become spaces here because lower() would end the text at a NUL.
    texts = tf.strings.unicode_transcode(
        texts, "UTF-8", "UTF-8", replacement_char=ord(" "), replace_control_characters=True
    )
    texts = tf.strings.lower(texts, encoding="utf-8")
    texts = tf.strings.regex_replace(texts, r"[^\pL\pN_]+", " ")
    texts = tf.strings.regex_replace(texts, r"[^\x00-\x7F]+", "")
    return tf.strings.split(texts)
