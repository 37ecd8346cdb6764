"""What the grammars of all languages share."""

from collections.abc import Sequence

import numpy as np


def pick(rng: np.random.Generator, choices: Sequence):
    """One of the choices; repeated ones are drawn more often."""
    return choices[int(rng.integers(len(choices)))]


def variety(attributes: dict[str, str]) -> str:
    """Whether a bird is of "plain" or "full" variety."""
    return "full" if "direction" in attributes else "plain"
