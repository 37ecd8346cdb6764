import keras
import numpy as np
import pytest
import tensorflow as tf

from t2i_tf.networks.text_encoder import TextEncoder
from t2i_tf.training.damsm import encode_captions, matching_losses
from t2i_tf.training.losses import damsm_losses, damsm_scores

TOKENS = np.array([[1, 2, 3], [4, 5, 0], [6, 7, 8]], "int32")
WRONG = np.array([[2, 1, 3], [4, 5, 0], [7, 6, 8]], "int32")  # The second is none.


@pytest.fixture(scope="module")
def text_encoder():
    keras.utils.set_random_seed(0)
    network = TextEncoder(20, units=8, embedding_dim=6)
    network(TOKENS)
    return network


def batch(**more):
    return {name: tf.constant(value) for name, value in {"tokens": TOKENS, **more}.items()}


def test_captions_without_wrong_ones_are_compared_with_each_other(text_encoder):
    captions = encode_captions(text_encoder, batch())
    words, sentences = text_encoder(TOKENS)
    for found in (captions.own, captions.compared):
        np.testing.assert_array_equal(found.words, words)
        np.testing.assert_array_equal(found.sentences, sentences)
        np.testing.assert_array_equal(found.mask, TOKENS != 0)
    assert captions.wrong_sentences is None and captions.unchanged is None


def test_wrong_captions_follow_the_others(text_encoder):
    captions = encode_captions(text_encoder, batch(wrong_tokens=WRONG))
    words, sentences = text_encoder(np.concatenate([TOKENS, WRONG]))
    np.testing.assert_allclose(captions.own.sentences, sentences[:3], atol=1e-6)
    np.testing.assert_allclose(captions.compared.words, words, atol=1e-6)
    np.testing.assert_allclose(captions.compared.sentences, sentences, atol=1e-6)
    np.testing.assert_array_equal(captions.compared.mask, np.concatenate([TOKENS, WRONG]) != 0)
    np.testing.assert_array_equal(captions.unchanged, [False, True, False])
    # In the stead of the one that is none, the next image's own caption is the wrong one.
    expected = tf.stack([sentences[3], sentences[2], sentences[5]])
    np.testing.assert_allclose(captions.wrong_sentences, expected, atol=1e-6)


def test_matching_losses_leave_out_what_is_no_mismatch(text_encoder, rng):
    captions = encode_captions(text_encoder, batch(wrong_tokens=WRONG))
    regions, codes = rng.normal(size=(3, 2, 2, 8)), rng.normal(size=(3, 8))
    regions, codes = (tf.constant(x, "float32") for x in (regions, codes))
    ids, gammas = tf.constant([0, 1, 1]), (4.0, 5.0, 10.0)
    found = matching_losses(captions, regions, codes, ids, gammas)
    scores = damsm_scores(*captions.compared, regions, codes, gammas)
    expected = damsm_losses(scores, ids, captions.unchanged)
    assert {k: float(v) for k, v in found.items()} == {k: float(v) for k, v in expected.items()}
    half = matching_losses(captions, tf.cast(regions, "float16"), codes, ids, gammas)
    assert all(value.dtype == "float32" for value in half.values())
