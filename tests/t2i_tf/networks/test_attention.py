import numpy as np
import tensorflow as tf

from t2i_tf.networks import build
from t2i_tf.networks.attention import (
    ChannelAttention,
    SpatialAttention,
    TextualAttention,
    masked_softmax,
    word_region_attention,
)


def test_masked_softmax_by_hand():
    scores = np.array([[0.0, np.log(3.0), 99.0]], "float32")
    weights = masked_softmax(scores, np.array([[True, True, False]]))
    np.testing.assert_allclose(weights, [[0.25, 0.75, 0.0]], rtol=1e-6)


def test_textual_attention_uses_each_samples_own_mask(rng):
    layer = TextualAttention(3)
    features = rng.normal(size=(2, 4, 4, 3)).astype("float32")
    words = rng.normal(size=(2, 5, 6)).astype("float32")
    mask = np.array([[True] * 5, [True] * 2 + [False] * 3])
    context, attention = layer(features, words, mask)
    assert context.shape == (2, 4, 4, 3)
    np.testing.assert_allclose(np.sum(attention, -1), 1.0, rtol=1e-5)
    assert np.all(np.array(attention)[1, :, :, 2:] == 0)
    alone, _ = layer(features[1:], words[1:, :2], mask[1:, :2])
    np.testing.assert_allclose(context[1:], alone, rtol=1e-5, atol=1e-6)


def test_textual_attention_is_a_weighted_sum_of_projected_words():
    layer = TextualAttention(2)
    layer.build((None, 1, 1, 2), (None, 2, 2))
    layer.project.set_weights([np.eye(2, dtype="float32")])
    features = np.array([[[[np.log(3.0), 0.0]]]], "float32")
    words = np.array([[[1.0, 0.0], [0.0, 1.0]]], "float32")
    context, attention = layer(features, words, np.ones((1, 2), bool))
    np.testing.assert_allclose(attention[0, 0, 0], [0.75, 0.25], rtol=1e-6)
    np.testing.assert_allclose(context[0, 0, 0], [0.75, 0.25], rtol=1e-6)


def test_word_region_attention_sums_to_one_over_regions(rng):
    words = rng.normal(size=(3, 4, 8)).astype("float32")
    regions = rng.normal(size=(2, 9, 8)).astype("float32")
    mask = np.arange(4)[None] < np.array([[4], [2], [1]])
    context, attention = word_region_attention(words, regions, mask, 4.0)
    assert context.shape == (2, 3, 4, 8)
    assert attention.shape == (2, 3, 4, 9)
    np.testing.assert_allclose(np.sum(attention, -1), 1.0, rtol=1e-5)


def test_channel_attention_by_hand(rng):
    layer = ChannelAttention(4, reduction=2)
    x = rng.normal(size=(2, 3, 5, 4)).astype("float32")
    gated = layer(x)
    (w1, b1), (w2, b2) = layer.hidden.get_weights(), layer.gate.get_weights()
    logits = sum(
        np.maximum(pooled @ w1 + b1, 0) @ w2 + b2 for pooled in (x.mean((1, 2)), x.max((1, 2)))
    )
    np.testing.assert_allclose(gated, x / (1 + np.exp(-logits))[:, None, None], rtol=1e-4)


def test_spatial_attention_starts_as_the_identity_and_then_mixes_places(rng):
    layer = SpatialAttention(8, size=4)
    x = rng.normal(size=(2, 4, 4, 8)).astype("float32")
    np.testing.assert_array_equal(layer(x), x)
    layer.scale.assign(2.0)
    query, key, value = (np.array(dense.kernel) for dense in (layer.query, layer.key, layer.value))
    places = x.reshape(2, 16, 8)
    scores = np.exp(np.einsum("bic,bjc->bij", places @ query, places @ key))
    weights = scores / scores.sum(-1, keepdims=True)
    mixed = np.einsum("bij,bjc->bic", weights, places @ value).reshape(x.shape)
    np.testing.assert_allclose(layer(x), x + 2 * mixed, atol=1e-4)


def test_spatial_attention_on_large_maps_works_on_averages(rng):
    layer = SpatialAttention(4, size=2)
    x = rng.normal(size=(1, 8, 8, 4)).astype("float32")
    layer(x)
    layer.scale.assign(1.0)
    constant = np.ones((1, 8, 8, 4), "f")
    expected = constant + (constant[:, :1, :1] @ np.array(layer.value.kernel))
    np.testing.assert_allclose(layer(constant), expected, rtol=1e-5)
    assert layer(x).shape == x.shape


def test_xla_differentiates_spatial_attention_in_half_precision():
    with build.precision("mixed_bfloat16"):
        layer = SpatialAttention(8, size=4)
    x = tf.random.stateless_normal((2, 16, 16, 8), [1, 2])
    layer(x)
    layer.scale.assign(0.5)

    @tf.function(jit_compile=True)
    def gradient():
        with tf.GradientTape() as tape:
            result = layer(x)
            loss = tf.reduce_sum(tf.square(tf.cast(result, "float32")))
        assert result.dtype == "bfloat16"
        return tape.gradient(loss, layer.query.kernel.value)

    assert np.any(gradient())
