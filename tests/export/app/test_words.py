"""Unknown words, suggestions, kinds of words, and the language model behind them."""

import math

import pytest

from data_pipeline.text.vocabulary import Vocabulary
from export.app import words
from export.app.ngrams import BEGIN, END, NGrams

CAPTIONS = [
    "a red bird with a blue belly",
    "a blue bird with a red belly",
    "a red bird with a red head",
    "a small green bird",
]


@pytest.fixture(scope="module")
def grams():
    return NGrams(CAPTIONS, ["coverts"])


@pytest.mark.parametrize("context", [(), ("a",), (BEGIN, "a"), ("never", "said"), ("with", "a")])
def test_the_chances_of_all_words_sum_to_one(grams, context):
    total = sum(grams.probability(word, context) for word in [*grams.words, END])
    assert total == pytest.approx(1)


def test_the_file_for_the_recognizer_holds_the_same_chances(grams):
    chances, left = {}, {}
    for line in filter(None, grams.arpa()):
        chance, *gram = line.split()
        if chance.lstrip("-").replace(".", "").isdigit():
            if gram[-1].lstrip("-").replace(".", "").isdigit():
                after = float(gram.pop())
                left[tuple(gram)] = after
            chances[tuple(gram)] = float(chance)

    def read(gram):
        if gram in chances:
            return chances[gram]
        return left.get(gram[:-1], 0.0) + read(gram[1:])

    for context in [(), ("a",), (BEGIN, "a"), ("red", "bird"), ("with", "a")]:
        for word in grams.words:
            expected = math.log10(grams.probability(word, context))
            assert read((*context, word)) == pytest.approx(expected, abs=1e-3)


def test_what_follows_often_is_suggested(grams):
    assert words.suggestions("", grams) == []
    assert words.suggestions("a red ", grams)[0] == "bird"
    assert words.suggestions("a red bel", grams) == ["belly"]
    assert words.suggestions("a cov", grams) == ["coverts"]  # Known, though in no caption.
    assert words.suggestions("a red bird", grams) == []


def test_words_of_a_kind_are_those_in_the_same_places(grams):
    assert grams.kin("belly", 8) == ["head"]
    assert grams.kin("red", 1) == ["blue"]
    assert "bird" not in grams.kin("red", 8)
    assert grams.kin("unheard", 8) == []


def test_unknown_words_come_with_the_nearest_known_ones():
    vocabulary = Vocabulary(["<end>", "a", "purple", "crown", "brown"])
    found = words.unknown("a purpel Clown with a purpel", vocabulary)
    assert found == [
        {"word": "purpel", "near": ["purple"]},
        {"word": "clown", "near": ["crown", "brown"]},
        {"word": "with", "near": []},
    ]


def test_examples_are_captions_that_every_model_knows():
    both = [Vocabulary(["<end>", "a", "red", "bird"]), Vocabulary(["<end>", "a", "red"])]
    assert words.known_captions(["a red bird", "a red", "a red"], both) == ["a red"]
