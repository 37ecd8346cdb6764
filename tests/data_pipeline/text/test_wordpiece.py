import re
import sys

import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.drawn.captions import captions
from data_pipeline.drawn.species import plan
from data_pipeline.support.errors import UserError
from data_pipeline.text import wordpiece
from data_pipeline.text.vocabulary import END, Vocabulary, WordpieceVocabulary, load
from tests.unicode_texts import random_texts

PIECES = (END, "un", "##aff", "##able", "a", "##f", "red", "##d", "r", "##e", "鸟", "é")


def pieces_tf(vocabulary, texts):
    rows = vocabulary.tokenize_tf(tf.constant(texts)).to_list()
    return [[piece.decode() for piece in row] for row in rows]


def without_unknown(vocabulary, pieces):
    return [piece if piece in vocabulary.index else END for piece in pieces]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("UNAFFABLE, red", ["un", "##aff", "##able", "red"]),
        ("redd re", ["red", "##d", "r", "##e"]),
        ("x redx af", ["x", "redx", "a", "##f"]),
        ("ｒｅｄ鸟鸟 e\u0301", ["red", "鸟", "鸟", "é"]),
        ("a" + "f" * 999, ["a"] + ["##f"] * 999),
        ("a" + "f" * 1000, ["a" + "f" * 1000]),
        ("", []),
    ],
)
def test_words_are_cut_into_the_longest_pieces_from_the_left(text, pieces):
    vocabulary = WordpieceVocabulary(PIECES)
    assert vocabulary.tokenize(text) == pieces
    assert pieces_tf(vocabulary, [text]) == [without_unknown(vocabulary, pieces)]


def test_an_unknown_word_has_no_id_and_is_named():
    vocabulary = WordpieceVocabulary(PIECES)
    assert vocabulary.encode("a zebra red") == ([4, 6], ["zebra"])


@pytest.fixture(scope="module")
def texts():
    return random_texts(np.random.default_rng(1), 1500)


@pytest.mark.parametrize("size", [1300, 3000])
def test_learnt_pieces_make_any_text_of_the_same_characters_in_both_forms(texts, size):
    vocabulary = WordpieceVocabulary.from_captions(texts[:100], size)
    assert len(vocabulary) <= size
    known = {letter for word in vocabulary.words[1:] for letter in word.removeprefix("##")}
    joined = [" ".join(vocabulary.tokenize(text)).replace(" ##", "") for text in texts]
    assert joined == [" ".join(wordpiece.split(text)) for text in texts]
    for text in texts:
        _, unknown = vocabulary.encode(text)
        assert all(set(word) - known for word in unknown)
    expected = [without_unknown(vocabulary, vocabulary.tokenize(text)) for text in texts]
    assert pieces_tf(vocabulary, texts) == expected


def test_learning_does_not_depend_on_the_order_and_prefers_frequent_words():
    pictures, _ = plan(15, 5, None, 0, "plain")
    rng = np.random.default_rng(0)
    lines = [line for p in pictures for line in captions(p.attributes, rng, 10, "ru")]
    small = WordpieceVocabulary.from_captions(lines, 120)
    assert small == WordpieceVocabulary.from_captions(reversed(lines), 120)
    assert len(small) <= 120 and "птица" in small.index
    assert max(len(small.encode(line)[0]) for line in lines) > 18
    assert not any(small.encode(line)[1] for line in lines)
    whole = WordpieceVocabulary.from_captions(lines, 8000)
    assert all(whole.tokenize(line) == re.findall(r"\w+", line) for line in lines)


def test_a_size_below_the_alphabet_is_refused():
    with pytest.raises(UserError, match="vocabulary_size=7 is too small: .* 4 different .* need 9"):
        WordpieceVocabulary.from_captions(["ab", "cd"], 8)


def test_captions_without_words_give_no_pieces():
    assert WordpieceVocabulary.from_captions(["!", ""], 10).words == (END,)


def test_a_vocabulary_is_read_for_the_tokenizer_that_is_named(tmp_path):
    WordpieceVocabulary(PIECES).save(tmp_path / "v.txt")
    assert load(tmp_path / "v.txt", "wordpiece") == WordpieceVocabulary(PIECES)
    assert load(tmp_path / "v.txt") == Vocabulary(PIECES) != WordpieceVocabulary(PIECES)
    with pytest.raises(UserError, match="'bytes'; this program knows words, wordpiece"):
        load(tmp_path / "v.txt", "bytes")


def test_only_learning_and_graphs_need_tensorflow_text(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_text", None)
    vocabulary = WordpieceVocabulary(PIECES)
    assert vocabulary.encode("red") == ([6], [])
    with pytest.raises(UserError, match="need tensorflow-text .*: pip install -r requirements.txt"):
        vocabulary.tokenize_tf(tf.constant(["red"]))
