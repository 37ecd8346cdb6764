import re
import unicodedata

import pytest
import tensorflow as tf

from data_pipeline.support.text import clean_caption
from data_pipeline.text.tokenizer import tokenize, tokenize_tf
from tests.unicode_texts import random_texts

CASES = {
    "This bird has Wings, and a red belly.": ["this", "bird", "has", "wings", "and", "a"]
    + ["red", "belly"],
    "this\ufffd\ufffdbird\ufffd\ufffdis,\ufffd\ufffdblack": ["this", "bird", "is", "black"],
    "one\ufffdtwo": ["one", "two"],
    "a caf\u00e9-coloured na\u00efve bird": ["a", "caf\u00e9", "coloured", "na\u00efve", "bird"],
    "it's 3.5 cm, wing_bar": ["it", "s", "3", "5", "cm", "wing_bar"],
    "\u0420\u0443\u0441\u0441\u043a\u0438\u0439 \u9e1f\u982d": ["русский", "\u9e1f", "\u982d"],
    "\u212aELVIN \u0130STANBUL \u2167": ["kelvin", "i\u0307stanbul", "\u2177"],
    "STRASSE Straße": ["strasse", "straße"],
    "ΟΔΟΣ οδός": ["οδοσ", "οδόσ"],
    "नीली चिड़िया": ["नीली", "चिड़िया"],
    "赤いトリ2羽": ["赤", "い", "ト", "リ", "2", "羽"],
    "e\u0301 \u00e9": ["e\u0301", "\u00e9"],
    "a\x00b\tc\nd\u00a0e": ["a", "b", "c", "d", "e"],
    "  \ufffd\ufffd ": [],
    "": [],
}
# Capitals of Unicode 14, which TensorFlow's table lacks.
NEWER = {0x2C2F, 0xA7C0, 0xA7D0, 0xA7D6, 0xA7D8, *range(0x10570, 0x10596)}


def words_tf(texts):
    rows = tokenize_tf(tf.constant(texts)).to_list()
    return [[word.decode() for word in row] for row in rows]


@pytest.mark.parametrize("text", CASES)
def test_words_of_hand_worked_captions(text):
    assert tokenize(text) == CASES[text]


def test_tensorflow_gives_the_same_words():
    assert words_tf(list(CASES)) == list(CASES.values())


def test_ascii_text_gives_the_published_recipes_words(rng):
    for letters in rng.integers(0, 128, (500, 30)):
        text = "".join(map(chr, letters))
        assert tokenize(text) == re.findall(r"[a-z0-9_]+", text.lower())


def test_tensorflow_agrees_between_letters_on_every_assigned_sampled_code_point():
    points = [*range(0x3000), *range(0x3000, 0x110000, 23)]
    characters = [
        c
        for c in map(chr, points)
        if unicodedata.category(c) not in ("Cn", "Cs") and ord(c) not in NEWER
    ]
    texts = [f"a{c}B {c}" for c in characters]
    wrong = [
        hex(ord(c))
        for c, text, words in zip(characters, texts, words_tf(texts), strict=True)
        if words != tokenize(text)
    ]
    assert len(characters) > 15_000
    assert not wrong


def test_tensorflow_agrees_on_random_text_of_many_scripts(rng):
    texts = random_texts(rng, 3000)
    assert words_tf(texts) == [tokenize(text) for text in texts]


def test_tensorflow_runs_in_a_graph_on_an_empty_batch_and_on_bytes_that_are_no_text():
    graph = tf.function(tokenize_tf, input_signature=[tf.TensorSpec([None], tf.string)])
    assert graph(tf.constant([], tf.string)).to_list() == []
    assert graph(tf.constant([b"red\xff\xfebird"])).to_list() == [[b"red", b"bird"]]


def test_cleaning_keeps_what_the_caption_says():
    assert clean_caption(" A\ufffd\ufffdcaf\u00e9, too \n") == "A caf\u00e9, too"
