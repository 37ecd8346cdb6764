"""Turns the captions that a user typed into the token ids that a model reads."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from data_pipeline.support.errors import UserError
from data_pipeline.text.vocabulary import Vocabulary

LONGEST_SHOWN = 200  # characters of a caption in a message


@dataclasses.dataclass(frozen=True)
class Encoded:
    """Captions as a model reads them.

    Attributes:
        tokens: int32 `[N, max_words]`, 0 after the last word.
        words: For each caption the words behind its ids.
        warnings: One line for each caption that was not read whole.
    """

    tokens: np.ndarray
    words: list[list[str]]
    warnings: list[str]


def encode(captions: Sequence[str], vocabulary: Vocabulary, max_words: int) -> Encoded:
    """Encodes captions; unknown words and words beyond the limit are left out and named.

    Args:
        captions: N texts.
        vocabulary: The model's.
        max_words: `config.data.max_words`, the number of known words that are kept, from the first
            on.

    Raises:
        UserError: Some captions have no known word; the message shows the first.
    """
    encoded = [vocabulary.encode(caption) for caption in captions]
    empty = [caption for caption, (ids, _) in zip(captions, encoded, strict=True) if not ids]
    if empty:
        others = f" (and {len(empty) - 1} more)" if len(empty) > 1 else ""
        raise UserError(
            f"the model knows no word of the caption {_shown(empty[0])!r}{others}: "
            "the words it knows are in the model directory's vocabulary.txt"
        )
    tokens = np.zeros((len(captions), max_words), np.int32)
    words, warnings = [], []
    for row, (caption, (ids, unknown)) in enumerate(zip(captions, encoded, strict=True)):
        shown = _shown(caption)
        if unknown:
            names = _shown(", ".join(dict.fromkeys(unknown)))
            warnings.append(f"{shown!r}: left out words the model does not know: {names}")
        if len(ids) > max_words:
            warnings.append(
                f"{shown!r}: kept the first {max_words} of {len(ids)} {vocabulary.unit}, "
                "the most the model reads"
            )
        ids = ids[:max_words]
        tokens[row, : len(ids)] = ids
        words.append([vocabulary.words[i] for i in ids])
    return Encoded(tokens, words, warnings)


def read_file(path: str | Path) -> list[str]:
    """Reads one caption per line; blank lines are skipped.

    Raises:
        UserError: The file cannot be read, is not UTF-8 or has no caption.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot read the captions: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: the captions are not UTF-8 text (byte {error.start}): save the file as UTF-8"
        ) from error
    captions = _stripped(text.splitlines())
    if not captions:
        raise UserError(f"{path} has no caption: write one a line")
    return captions


def _shown(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _stripped(lines: Iterable[str]) -> list[str]:
    return [line.strip() for line in lines if line.strip()]
