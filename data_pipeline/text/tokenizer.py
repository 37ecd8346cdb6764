"""Splits captions into words.

A word is a run of letters, marks, digits and underscores of any script, in lower case; everything
else separates words. On ASCII text these are the words of the published text encoders (AttnGAN's
`\\w+`), which drop all other characters. Chinese characters and kana, which are written without
spaces, are a word each. The final form of the Greek sigma counts as the other one, because not
every program knows where a word ends. Nothing is normalized: a letter and its accent written as
two characters make another word than the letter that has it.

`tokenize` is the recipe in plain Python; `tokenize_tf` uses core TensorFlow ops only, because an
exported model must read raw text without other code. `export/mobile` has it in other languages.
"""

import re
import unicodedata

import tensorflow as tf

_WORD = re.compile(r"\w+")
_UNSPACED = "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"


def tokenize(text: str) -> list[str]:
    """The caption's words, in order: lower-case, never empty."""
    text = text.lower()
    if text.isascii():
        return _WORD.findall(text)
    text = "".join(letter if _in_word(letter) else " " for letter in text.replace("ς", "σ"))
    return re.sub(_UNSPACED, r" \g<0> ", text).split()


def stands_alone(letter: str) -> bool:
    """Whether a character is always a word of its own, as Chinese characters and kana are."""
    return re.match(_UNSPACED, letter) is not None


def _in_word(letter):
    return letter == "_" or unicodedata.category(letter)[0] in "LMN"


def tokenize_tf(texts: tf.Tensor) -> tf.RaggedTensor:
    """`tokenize` for a batch, in core TensorFlow ops.

    Args:
        texts: string `[B]`, UTF-8; bytes that are not valid UTF-8 separate words.

    Returns:
        The words, string `[B, None]`. The result differs from `tokenize` only on characters that
        came into Unicode after version 13, which one of Python's and TensorFlow's tables may lack.
    """
    # Control characters become spaces here because lower() would end the text at a NUL.
    texts = tf.strings.unicode_transcode(
        texts, "UTF-8", "UTF-8", replacement_char=ord(" "), replace_control_characters=True
    )
    texts = tf.strings.lower(texts, encoding="utf-8")
    texts = tf.strings.regex_replace(texts, "ς", "σ")
    texts = tf.strings.regex_replace(texts, r"[^\pL\pM\pN_]+", " ")
    texts = tf.strings.regex_replace(texts, _UNSPACED, r" \0 ")
    return tf.strings.split(texts)
