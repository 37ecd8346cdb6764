import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.support.errors import UserError
from data_pipeline.text.exchange import Exchange
from data_pipeline.text.vocabulary import END, Vocabulary, WordpieceVocabulary

# Feminine and plural, in the nominative and the instrumental.
COLOURS = (
    "красная красные красной красными",
    "синяя синие синей синими",
    "белая белые белой белыми",
)
WORDS = " ".join(COLOURS) + " птица с грудкой крыльями и макушка"


def exchanged(vocabulary, groups, caption, width=12, draws=60):
    """All that a caption becomes."""
    ids, unknown = vocabulary.encode(caption)
    assert not unknown
    exchange = Exchange(groups, vocabulary, width)
    seeds = tf.data.Dataset.range(draws).map(lambda i: tf.stack([i, 0]))
    tokens = tf.constant(ids[:width] + [0] * (width - len(ids)), tf.int32)
    rows = seeds.map(lambda seed: exchange(tokens, seed)).as_numpy_iterator()
    return {
        " ".join(vocabulary.words[i] for i in row if i).replace(" ##", "") for row in rows
    }, exchange(tokens, [0, 0])


def test_each_place_keeps_the_form_of_its_word():
    vocabulary = Vocabulary([END, *WORDS.split()])
    caption = "птица с красной грудкой и синими крыльями макушка белая"
    found, row = exchanged(vocabulary, [COLOURS], caption)
    assert found == {
        "птица с синей грудкой и красными крыльями макушка белая",
        "птица с белой грудкой и синими крыльями макушка красная",
        "птица с красной грудкой и белыми крыльями макушка синяя",
    }
    assert row.dtype == tf.int32 and row.shape == [12]


def test_a_single_word_is_replaced_in_its_form():
    vocabulary = Vocabulary([END, *WORDS.split()])
    found, _ = exchanged(vocabulary, [COLOURS], "птица с красными крыльями")
    assert found == {"птица с синими крыльями", "птица с белыми крыльями"}


def test_a_word_that_occurs_twice_is_replaced_in_both_places():
    vocabulary = Vocabulary([END, *WORDS.split()])
    found, _ = exchanged(vocabulary, [COLOURS], "красная птица с красной грудкой")
    assert found == {"синяя птица с синей грудкой", "белая птица с белой грудкой"}


def test_forms_that_the_vocabulary_lacks_are_not_put_in():
    words = WORDS.replace("белыми ", "").replace("синие ", "")
    vocabulary = Vocabulary([END, *words.split()])
    found, _ = exchanged(vocabulary, [COLOURS], "птица с красными крыльями")
    assert found == {"птица с синими крыльями"}
    found, _ = exchanged(vocabulary, [COLOURS], "белая макушка и красными крыльями")
    assert found == {"красная макушка и красными крыльями"}
    found, _ = exchanged(vocabulary, [["красные", "синие"]], "птица и красные")
    assert found == {"птица и красные"}


def test_words_of_several_pieces_are_exchanged_whole():
    pieces = "крас ##н ##ая ##ой ##ыми син ##ей ##ими ##яя белой белыми белая а ##а с птица"
    vocabulary = WordpieceVocabulary([END, *pieces.split()])
    found, _ = exchanged(vocabulary, [COLOURS], "птица с красной а синими с белая")
    assert found == {
        "птица с синей а красными с белая",
        "птица с белой а синими с красная",
        "птица с красной а белыми с синяя",
    }


def test_a_caption_that_grows_too_long_is_cut():
    vocabulary = WordpieceVocabulary([END, "a", "b", "##b", "с"])
    found, row = exchanged(vocabulary, [["a", "bbb"]], "с a с с", width=4)
    assert found == {"с bbb"}
    np.testing.assert_array_equal(row, [4, 2, 3, 3])


def test_pieces_of_a_word_that_was_cut_off_are_no_word():
    vocabulary = WordpieceVocabulary([END, "a", "##a", "b"])
    exchange = Exchange([["a", "b"]], vocabulary, 4)
    for row in ([2, 3, 0, 0], [3, 2, 1, 0]):
        seen = {tuple(exchange(tf.constant(row), [seed, 0]).numpy()) for seed in range(20)}
        assert seen <= {(2, 1, 0, 0), (3, 2, 3, 0)}


def test_words_of_a_group_need_the_same_forms():
    with pytest.raises(UserError, match="exchange_words red, blue blues: .* the same forms"):
        Exchange([["red", "blue blues"]], Vocabulary([END, "red"]), 4)
