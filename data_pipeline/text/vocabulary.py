"""The words or pieces of words that a model knows, numbered; id 0 is `<end>` and pads captions."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from data_pipeline.support.errors import UserError
from data_pipeline.support.files import write_text
from data_pipeline.support.pickles import safe_load_pickle
from data_pipeline.text.tokenizer import tokenize, tokenize_tf
from data_pipeline.text.wordpiece import cut, cut_tf, learn, split

END = "<end>"


class Vocabulary:
    """An ordered list of words; a word's id is its place in it.

    Args:
        words: The words by id. The first is `"<end>"`; no word is empty, holds white space or
            occurs twice.

    Attributes:
        words: The words by id, a tuple.
        index: Dict from word to id.
        tokenizer: The name of the way in which captions are split, a key of `TOKENIZERS`.
        unit: What the words are called in messages.

    Raises:
        ValueError: if `words` breaks one of the rules above.
    """

    tokenizer, unit = "words", "words"

    def __init__(self, words: Sequence[str]):
        self.words = tuple(words)
        if not self.words or self.words[0] != END:
            raise ValueError(f"the first word must be {END!r}, found {self.words[:1]}")
        self.index = {}
        for number, word in enumerate(self.words):
            if word.split() != [word]:
                raise ValueError(f"word {number} is {word!r}: empty or with white space")
            if self.index.setdefault(word, number) != number:
                raise ValueError(f"{word!r} is both word {self.index[word]} and word {number}")

    def __len__(self) -> int:
        return len(self.words)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.words == other.words

    def __hash__(self) -> int:
        return hash(self.words)

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the file that `save` writes."""
        return hashlib.sha256(self._text().encode()).hexdigest()

    def tokenize(self, text: str) -> list[str]:
        """The caption's words in order, known or not."""
        return tokenize(text)

    def tokenize_tf(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """`tokenize` for string `[B]` in TensorFlow's ops; unknown words may become `<end>`."""
        return tokenize_tf(texts)

    def encode(self, text: str) -> tuple[list[int], list[str]]:
        """The ids of a caption's known words and its unknown words, both in order.

        Unknown words have no id: they are left out of the ids, as in AttnGAN.
        """
        tokens = self.tokenize(text)
        ids = [self.index[token] for token in tokens if token in self.index]
        return ids, [token for token in tokens if token not in self.index]

    @classmethod
    def from_captions(cls, captions: Iterable[str], min_count: int = 1) -> "Vocabulary":
        """The words that occur at least `min_count` times, the most frequent first.

        Words with the same count are in alphabetical order, so the order of the captions does not
        matter.
        """
        counts = Counter(word for caption in captions for word in tokenize(caption))
        kept = [word for word, count in counts.items() if count >= min_count]
        return cls([END, *sorted(kept, key=lambda word: (-counts[word], word))])

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Vocabulary":
        """Reads a text file of one word per line, or AttnGAN's captions.pickle.

        In the text file, the line number from 0 is the id. The pickle holds `[train_captions,
        test_captions, index_to_word, word_to_index]`.

        Raises:
            UserError: if the file is missing or is neither of these.
        """
        if Path(path).suffix == ".pickle":
            return cls.from_captions_pickle(path)
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except OSError as error:
            raise UserError(f"{path}: cannot read the vocabulary: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UserError(f"{path}: not a vocabulary: it is not UTF-8 text") from None
        try:
            return cls(text.removesuffix("\n").split("\n"))
        except ValueError as error:
            raise UserError(
                f"{path}: not a vocabulary (one word a line, the first {END!r}): {error}"
            ) from None

    @classmethod
    def from_captions_pickle(cls, path: str | os.PathLike) -> "Vocabulary":
        """Reads the word index in AttnGAN's captions.pickle, whatever the file is called.

        Raises:
            UserError: if the file is missing or is another pickle.
        """
        content = safe_load_pickle(path)
        try:
            by_index = content[2]
            return cls([by_index[index] for index in range(len(by_index))])
        except (TypeError, LookupError, AttributeError, ValueError) as error:
            raise UserError(
                f"{path}: not AttnGAN's captions.pickle (its third part numbers the words from 0, "
                f"which is {END!r}): {error}"
            ) from None

    def save(self, path: str | os.PathLike) -> None:
        """Writes one word per line; the file is written whole or not at all."""
        write_text(path, self._text())

    def _text(self) -> str:
        return "\n".join(self.words) + "\n"


class WordpieceVocabulary(Vocabulary):
    """A `Vocabulary` of pieces, into which each word is cut: see `data_pipeline.text.wordpiece`.

    `tokenize_tf` needs tensorflow-text's ops.
    """

    tokenizer, unit = "wordpiece", "wordpieces"

    def tokenize(self, text: str) -> list[str]:
        """The pieces of the caption's words, in order; a word that cannot be cut is left whole."""
        return [piece for word in split(text) for piece in cut(word, self.index)]

    def tokenize_tf(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """`tokenize` for string `[B]`; a word that cannot be cut becomes `<end>`."""
        return cut_tf(texts, self.words)

    @classmethod
    def from_captions(cls, captions: Iterable[str], size: int = 8000) -> "WordpieceVocabulary":
        """Learns at most `size` pieces, `<end>` included; the captions' order does not matter.

        Raises:
            UserError: The captions have too many different characters.
        """
        counts = Counter(word for caption in captions for word in split(caption))
        return cls([END, *learn(counts, size - 1)])


TOKENIZERS = {kind.tokenizer: kind for kind in (Vocabulary, WordpieceVocabulary)}


def unit(description: Mapping[str, str]) -> str:
    """What the words are called in a data set with this `vocabulary` in its description."""
    return TOKENIZERS[description.get("tokenizer", Vocabulary.tokenizer)].unit


def load(path: str | os.PathLike, tokenizer: str = Vocabulary.tokenizer) -> Vocabulary:
    """Reads the vocabulary of a data set or a model; those without a tokenizer's name have words.

    Raises:
        UserError: The file is missing or no vocabulary, or there is no such tokenizer.
    """
    if tokenizer not in TOKENIZERS:
        raise UserError(
            f"{path} is for the tokenizer {tokenizer!r}; this program knows {', '.join(TOKENIZERS)}"
        )
    return TOKENIZERS[tokenizer].load(path)
