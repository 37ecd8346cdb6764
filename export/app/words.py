"""Words for the caption's box: which are unknown, what is near them, and what might come next."""

import difflib
from collections.abc import Iterable, Sequence

import numpy as np

from data_pipeline.drawn.captions import captions
from data_pipeline.drawn.species import plan
from data_pipeline.text.tokenizer import tokenize
from data_pipeline.text.vocabulary import Vocabulary
from export.app.ngrams import NGrams

NAMED = 8  # unknown words: to look for near ones takes a while
OFFERED = 3  # nearest words of each unknown one
SUGGESTED = 8
BIRDS, CAPTIONS_EACH = 1500, 3


def unknown(caption: str, vocabulary: Vocabulary) -> list[dict]:
    """The first words that a model does not know, each with the nearest of those that it knows.

    Returns:
        For each: `word`, and `near`, the nearest first.
    """
    _, missing = vocabulary.encode(caption)
    known = vocabulary.words[1:]
    return [
        {"word": word, "near": difflib.get_close_matches(word, known, OFFERED)}
        for word in list(dict.fromkeys(missing))[:NAMED]
    ]


def suggestions(caption: str, expected: NGrams) -> list[str]:
    """Words that may come next, or that the last one may become while it is being typed."""
    said = tokenize(caption)
    if caption[-1:].isspace():
        return expected.likeliest(said, SUGGESTED)
    if not said or said[-1] in expected.words:
        return []
    begun = said.pop()
    likely = expected.likeliest(said, len(expected.words))
    found = [word for word in likely if word.startswith(begun)]
    found += [word for word in expected.words if word.startswith(begun) and word not in found]
    return found[:SUGGESTED]


def known_captions(captions: Iterable[str], vocabularies: Sequence[Vocabulary]) -> list[str]:
    """The captions of which all models know all words, each once."""
    known = [set(vocabulary.words) for vocabulary in vocabularies]
    return [
        caption
        for caption in dict.fromkeys(captions)
        if all(known_words.issuperset(tokenize(caption)) for known_words in known)
    ]


def bird_captions() -> list[str]:
    """Captions of drawn birds, as the bundled model learned them; always the same ones."""
    rng = np.random.default_rng(0)
    birds, _ = plan(BIRDS, 1, BIRDS // 10, 0, "plain")
    return [text for bird in birds for text in captions(bird.attributes, rng, CAPTIONS_EACH)]
