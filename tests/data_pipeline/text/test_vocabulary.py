import hashlib
import pickle

import pytest

from data_pipeline.support.errors import UserError
from data_pipeline.text.vocabulary import Vocabulary


def test_words_are_ordered_by_count_then_alphabet():
    captions = ["A red bird", "a blue bird", "the bird"]
    vocabulary = Vocabulary.from_captions(captions)
    assert vocabulary.words == ("<end>", "bird", "a", "blue", "red", "the")
    assert Vocabulary.from_captions(reversed(captions)).words == vocabulary.words
    assert Vocabulary.from_captions(captions, min_count=2).words == ("<end>", "bird", "a")


def test_encode_gives_ids_and_unknown_words_in_order():
    vocabulary = Vocabulary(["<end>", "red", "bird"])
    assert vocabulary.encode("Red, green red bird!") == ([1, 1, 2], ["green"])
    assert vocabulary.encode("<end>") == ([], ["end"])
    assert len(vocabulary) == 3
    assert vocabulary.index == {"<end>": 0, "red": 1, "bird": 2}


def test_save_writes_one_word_a_line_and_load_reads_it_back(tmp_path):
    path = tmp_path / "vocabulary.txt"
    vocabulary = Vocabulary(["<end>", "red", "bird"])
    vocabulary.save(path)
    assert path.read_bytes() == b"<end>\nred\nbird\n"
    assert vocabulary.sha256 == hashlib.sha256(b"<end>\nred\nbird\n").hexdigest()
    assert Vocabulary.load(path).words == vocabulary.words
    assert [entry.name for entry in tmp_path.iterdir()] == ["vocabulary.txt"]


def test_load_reads_the_index_in_captions_pickle(tmp_path):
    path = tmp_path / "captions.pickle"
    index = {0: "<end>", 1: "red", 2: "bird"}
    words = {word: number for number, word in index.items()}
    path.write_bytes(pickle.dumps([[[1, 2]], [[2]], index, words], protocol=2))
    assert Vocabulary.load(path).words == ("<end>", "red", "bird")


@pytest.mark.parametrize("content", [[1, 2], [[], [], {1: "<end>"}, {}], [[], [], ["a"], {}], 3])
def test_load_refuses_pickles_of_something_else(tmp_path, content):
    path = tmp_path / "captions.pickle"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match="captions.pickle: not AttnGAN's captions.pickle"):
        Vocabulary.load(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the first word must be '<end>'"),
        (b"red\nbird\n", "the first word must be '<end>'"),
        (b"<end>\nred\n\nbird\n", "word 2 is '': empty"),
        (b"<end>\nred bird\n", "word 1 is 'red bird': empty or with white space"),
        (b"<end>\nred\nbird\nred\n", "'red' is both word 1 and word 3"),
        (b"<end>\ncaf\xe9\n", "not UTF-8"),
    ],
)
def test_load_says_what_is_wrong_with_a_file(tmp_path, content, reason):
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"words.txt: not a vocabulary.*{reason}"):
        Vocabulary.load(path)


def test_load_says_that_the_file_is_missing(tmp_path):
    with pytest.raises(UserError, match="none.txt: cannot read the vocabulary: No such file"):
        Vocabulary.load(tmp_path / "none.txt")
