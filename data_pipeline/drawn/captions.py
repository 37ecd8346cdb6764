"""Writes captions of drawn birds; each determines the colours of all parts."""

import itertools
import re

import numpy as np

from data_pipeline.drawn import english, russian
from data_pipeline.drawn.wording import variety

# Each module has `caption`, which writes one; `COLOURS`, the forms of each colour's word, in the
# same order for all; and `SIGNS`, the words that tell an attribute other than the colours.
LANGUAGES = {"en": english, "ru": russian}
MAX_TOKENS = {"plain": 18, "full": 28}
_MIN_TOKENS = 6

_WORD = re.compile(r"\w+")
# For each form of a colour's word: the colour, and the same form of all colours.
_FORMS = {
    word: (colour, {other: words[place] for other, words in language.COLOURS.items()})
    for language in LANGUAGES.values()
    for colour, forms in language.COLOURS.items()
    for place, word in enumerate(forms)
}
_COLOUR = re.compile(rf"\b({'|'.join(_FORMS)})\b")


def captions(
    attributes: dict[str, str], rng: np.random.Generator, count: int = 10, language: str = "en"
) -> list[str]:
    """Writes distinct captions of one bird.

    Each has 6 to 18 tokens, or 28 for a bird of full variety, has no colour words except those of
    belly, wing and crown, and determines all three colours. About half of the captions name parts
    that share a colour together: "a red bird with a black crown" is said only of birds whose belly
    and wings are both red.

    Args:
        attributes: of the bird, as `synthetic.write` stores them in JSON.
        rng: decides the wording.
        count: number of captions to write.
        language: a key of `LANGUAGES`.

    Returns:
        `count` lower-case captions.
    """
    written: dict[str, None] = {}
    while len(written) < count:
        caption = LANGUAGES[language].caption(attributes, rng)
        if _MIN_TOKENS <= len(_WORD.findall(caption)) <= MAX_TOKENS[variety(attributes)]:
            written[caption] = None
    return list(written)


def told(caption: str) -> set[str]:
    """The attributes besides the colours that a caption of `captions` tells: perch, size, ..."""
    return {
        name
        for language in LANGUAGES.values()
        for name, words in language.SIGNS.items()
        if re.search(rf"\b(?:{words})\b", caption)
    }


def permuted_colours(caption: str) -> list[str]:
    """Exchanges the colours of a caption among their places, in every way that changes it.

    Where words are inflected, each place keeps its form, so the caption stays a sentence.

    Args:
        caption: any lower-case text.

    Returns:
        The distinct results without `caption` itself, sorted; empty if `caption` names fewer than
        two different colours.
    """
    pieces = _COLOUR.split(caption)
    places = [_FORMS[word] for word in pieces[1::2]]
    colours = [colour for colour, _ in places]
    results = set()
    for order in set(itertools.permutations(colours)) - {tuple(colours)}:
        pieces[1::2] = [forms[colour] for colour, (_, forms) in zip(order, places, strict=True)]
        results.add("".join(pieces))
    return sorted(results)
