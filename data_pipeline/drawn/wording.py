"""What the grammars of all languages share."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

_Choice = TypeVar("_Choice")


def pick(rng: np.random.Generator, choices: Sequence[_Choice]) -> _Choice:
    """One of the choices; repeated ones are drawn more often."""
    return choices[int(rng.integers(len(choices)))]


def variety(attributes: dict[str, str]) -> str:
    """Whether a bird is of "plain" or "full" variety."""
    return "full" if "direction" in attributes else "plain"
