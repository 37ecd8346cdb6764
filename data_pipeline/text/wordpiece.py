"""WordPiece: words cut into pieces that are learnt from the captions, so that no word is unknown.

A caption is brought into Unicode's form NFKC and split into words (`tokenizer`). Each word is cut,
from the left, into the longest pieces that the vocabulary has; all but its first begin with `##`.
The vocabulary holds every character of the captions it was learnt from, so a word is left out only
if it has a character that none of them had, or is longer than `LONGEST_WORD`. (Schuster & Nakajima,
2012; as in BERT.)

`learn` and `cut_tf` use tensorflow-text. `cut` is the same in plain Python, which encodes single
captions faster and needs no library where a model only draws.
"""

import unicodedata
from collections.abc import Container, Mapping, Sequence
from types import ModuleType

import tensorflow as tf

from data_pipeline.support.errors import UserError
from data_pipeline.text import tokenizer

JOINER = "##"
LONGEST_WORD = 1000  # bytes


def split(text: str) -> list[str]:
    """The caption's words before they are cut."""
    return tokenizer.tokenize(unicodedata.normalize("NFKC", text))


def cut(word: str, known: Container[str]) -> list[str]:
    """A word's pieces; the word itself, which is then not `known`, if there is no way to cut it."""
    pieces, start = [], 0
    if len(word.encode()) > LONGEST_WORD:
        return [word]
    while start < len(word):
        before = JOINER if start else ""
        ends = range(len(word), start, -1)
        end = next((end for end in ends if before + word[start:end] in known), None)
        if end is None:
            return [word]
        pieces.append(before + word[start:end])
        start = end
    return pieces


def cut_tf(texts: tf.Tensor, vocabulary: Sequence[str]) -> tf.RaggedTensor:
    """The pieces of a batch of captions, in the ops of TensorFlow and tensorflow-text.

    Args:
        texts: string `[B]`, UTF-8.
        vocabulary: The pieces; the first stands for a word that cannot be cut.

    Returns:
        The pieces, string `[B, None]`.
    """
    text = tensorflow_text()
    # Invalid bytes separate words, as in `tokenizer.tokenize_tf`; normalize_utf8 would refuse them.
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", replacement_char=ord(" "))
    words = tokenizer.tokenize_tf(text.normalize_utf8(texts, "NFKC"))
    cutter = text.FastWordpieceTokenizer(
        list(vocabulary),
        suffix_indicator=JOINER,
        max_bytes_per_word=LONGEST_WORD,
        token_out_type=tf.string,
        unknown_token=vocabulary[0],
        no_pretokenization=True,
    )
    return cutter.tokenize(words).merge_dims(1, 2)


def begins(vocabulary: Sequence[str]) -> tf.Tensor:
    """For each token of a vocabulary 1 if it begins a word, else 0: int32 `[V]`."""
    return tf.constant([not token.startswith(JOINER) for token in vocabulary], tf.int32)


def word_numbers(tokens: tf.Tensor, begins: tf.Tensor) -> tf.Tensor:
    """The number of the word, from 0, that each token of a caption belongs to: int32 `[T]`."""
    first = tf.gather(begins, tokens)
    return tf.cumsum(first) - first[:1]


def learn(counts: Mapping[str, int], size: int) -> list[str]:
    """The pieces of a vocabulary.

    Args:
        counts: How often each word occurs.
        size: The most pieces there may be. There are fewer where whole words need fewer.

    Returns:
        All characters, then longer pieces, the most frequent first.

    Raises:
        UserError: The characters alone are more than `size`.
    """
    letters = sorted({letter for word in counts for letter in word})
    inner = (JOINER + letter for letter in letters if not tokenizer.stands_alone(letter))
    pieces = [*letters, *inner]
    if len(pieces) > size:
        raise UserError(
            f"--vocabulary_size={size} is too small: the captions have {len(letters)} different "
            f"characters, which need {len(pieces) + 1}"
        )
    if not counts:
        return pieces
    tensorflow_text()
    from tensorflow_text.tools.wordpiece_vocab import wordpiece_tokenizer_learner_lib as learner

    learnt = learner.learn(
        sorted(counts.items()),
        vocab_size=size,
        reserved_tokens=[],
        lower_thresh=1,
        max_unique_chars=len(letters),
        joiner=JOINER,
    )
    longer = [piece for piece in learnt if len(piece.removeprefix(JOINER)) > 1]
    return pieces + longer[: size - len(pieces)]


def tensorflow_text() -> ModuleType:
    """The library, which also registers its ops; imported only where wordpieces are used.

    Raises:
        UserError: It is not installed, or does not fit TensorFlow.
    """
    try:
        import tensorflow_text
    except (ImportError, tf.errors.NotFoundError) as error:
        raise UserError(
            f"wordpieces need tensorflow-text ({str(error).splitlines()[0]}): "
            "pip install -r requirements.txt"
        ) from error
    return tensorflow_text
