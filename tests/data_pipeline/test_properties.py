"""What holds for any input, looked for by Hypothesis: text, names, records, pickles, JSON."""

import pickle
import tempfile
import unicodedata
from pathlib import Path

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.records import Records, write_index
from data_pipeline.support.errors import UserError
from data_pipeline.support.json_text import parse_json
from data_pipeline.support.pickles import safe_load_pickle
from data_pipeline.text.tokenizer import tokenize, tokenize_tf
from t2i_tf.models.names import picture_name

settings.register_profile("short", max_examples=25, deadline=None, derandomize=True)
settings.load_profile("short")

# TensorFlow's tables of Unicode are another version's than Python's, which differ on new letters.
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cn", "Cs", "Co"), max_codepoint=0x2FFF)
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=8,
)


def is_settled(character):
    """Whether a character was in Unicode long before the tables of either program."""
    return unicodedata.ucd_3_2_0.category(character) != "Cn"


@given(st.lists(TEXT, min_size=1, max_size=8))
def test_both_tokenizers_agree(texts):
    texts = ["".join(filter(is_settled, text)) for text in texts]
    rows = tokenize_tf(tf.constant(texts)).to_list()
    assert [[word.decode() for word in row] for row in rows] == [tokenize(text) for text in texts]


@given(st.text())
def test_words_are_in_lower_case_and_read_again_the_same(text):
    words = tokenize(text)
    assert all(word == word.lower() and word for word in words)
    assert tokenize(" ".join(words)) == words


@given(st.text(), st.integers(0, 2**62))
def test_any_caption_names_a_file_in_its_folder(text, seed):
    name = picture_name(7, text, seed)
    assert Path(name).name == name and len(name.encode()) < 256


@given(PLAIN, st.integers(0, 5))
def test_pickles_of_plain_values_come_back(value, protocol):
    assert safe_load_pickle("a.pickle", pickle.dumps(value, protocol)) == value


@given(PLAIN, st.data())
def test_a_damaged_pickle_is_read_or_refused_in_one_line(value, data):
    content = bytearray(pickle.dumps(value, data.draw(st.integers(0, 5))))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        safe_load_pickle("a.pickle", bytes(content))
    except UserError as error:
        assert "a.pickle" in str(error) and "\n" not in str(error)


@given(st.binary() | st.text())
def test_json_is_read_or_refused_by_one_kind_of_error(text):
    try:
        parse_json(text)
    except ValueError:
        return


def test_json_nested_too_deeply_is_refused():
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json("[" * 100_000)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=6), st.booleans(), st.data())
def test_a_shard_with_a_wrong_byte_is_never_read_as_something_else(values, indexed, data):
    with tempfile.TemporaryDirectory() as folder:
        shard = Path(folder, "d-train.tfrecord-00000-of-00001")
        with tf.io.TFRecordWriter(str(shard)) as writer:
            for value in values:
                writer.write(value)
        if indexed:
            write_index(shard)
        content = bytearray(shard.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= 1 << data.draw(st.integers(0, 7))
        shard.write_bytes(content)
        try:
            records = Records([shard])
            read = [records[row] for row in range(len(records))]
        except UserError as error:
            assert str(shard) in str(error)
        else:  # Only the checksum of a length differs, which the index or the file's end confirms.
            assert read == values
