"""`TokensToImage`: a picture depends on its words and seed only, whatever shares the batch."""

import numpy as np
import pytest
import tensorflow as tf

from t2i_tf.models.text_to_image import TokensToImage

TOKENS, SEED = [3, 5, 8], 7


@pytest.fixture(scope="module")
def network(small_model):
    return TokensToImage(small_model.text_encoder, small_model.generator)


def batch(rows, length=3):
    """Token ids `[B, length]` of rows of ids."""
    tokens = np.zeros((len(rows), length), np.int32)
    for row, ids in zip(tokens, rows, strict=True):
        row[: len(ids)] = ids
    return tf.constant(tokens)


def last(drawn):
    return drawn["images"][-1]


@pytest.fixture(scope="module")
def alone(network):
    return last(network(batch([TOKENS]), tf.constant([SEED], tf.int64)))[0]


@pytest.mark.parametrize("position", [0, 2])
@pytest.mark.parametrize("length", [5, 9])
def test_picture_is_the_same_anywhere(position, length, network, alone):
    rows, seeds = [[1], [2, 4, 6, 1, 9]], [1, 2]
    rows.insert(position, TOKENS)
    seeds.insert(position, SEED)
    drawn = network(batch(rows, length), tf.constant(seeds, tf.int64))
    np.testing.assert_allclose(last(drawn)[position], alone, atol=1e-5)
    assert drawn["attention"][-1].shape == (3, 16, 16, length)


def test_graph_and_eager_agree(network, alone):
    signature = [tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int64)]
    graph = tf.function(lambda *inputs: last(network(*inputs)), input_signature=signature)
    drawn = graph(batch([TOKENS, [1]], 6), tf.constant([SEED, 0], tf.int64))
    np.testing.assert_allclose(drawn[0], alone, atol=1e-5)


def test_seed_and_words_matter(network, alone):
    drawn = last(network(batch([TOKENS, [4, 5, 8]]), tf.constant([SEED + 1, SEED], tf.int64)))
    assert np.abs(drawn - alone).max(axis=(1, 2, 3)).min() > 1e-3


def test_given_noise_uses_the_conditions_mean(network, small_model, rng):
    noise = rng.normal(size=(2, 4)).astype("float32")
    tokens = batch([TOKENS, TOKENS])
    words, sentence = small_model.text_encoder(tokens)
    expected = small_model.generator(sentence, words, tokens != 0, noise, np.zeros((2, 6), "f"))
    np.testing.assert_array_equal(last(network.from_noise(tokens, noise)), last(expected))
