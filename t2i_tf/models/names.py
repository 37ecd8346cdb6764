"""The names of the files of drawn pictures."""

import re
from pathlib import Path

from data_pipeline.text.tokenizer import tokenize

LONGEST_SLUG = 60  # bytes: file systems count them


def picture_name(number: int, text: str, seed: int) -> str:
    """A file's name without its ending: `007_a-red-bird_seed3`."""
    return f"{number:03d}_{_slug(text)}_seed{seed}"


def first_free_number(folder: Path) -> int:
    """One more than the largest number of the pictures that a folder holds."""
    numbers = (re.match(r"(\d+)_", path.name) for path in folder.iterdir())
    return max((int(number[1]) + 1 for number in numbers if number), default=0)


def _slug(text):
    """The caption's words as part of a file name, cut at a word where it gets long."""
    words = "-".join(tokenize(text))
    data = words.encode()
    if len(data) <= LONGEST_SLUG:
        return words
    begun = data[: LONGEST_SLUG + 1].rpartition(b"-")[0] or data[:LONGEST_SLUG]
    return begun.decode(errors="ignore")
