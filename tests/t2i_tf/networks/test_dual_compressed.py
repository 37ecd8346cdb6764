import subprocess
import sys

import keras
import numpy as np
import pytest

from t2i_tf.networks.dual_compressed import (
    CompressedChannelAttention,
    CompressedSpatialAttention,
)
from t2i_tf.published import layouts
from t2i_tf.published import weights as reference_weights
from tests.commands import ROOT


def scrambled(layer, shape, rng):
    layer.build(shape)
    layer.set_weights([rng.normal(0, 0.5, w.shape) for w in layer.weights])
    return layer


def pooled(x, reduce, strides):
    """`[B, s, s, C]` by windows of 3x3."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    return reduce(windows[:, ::strides, ::strides], axis=(-2, -1))


@pytest.mark.parametrize("filters", [4, 8, 16])  # compressed to 1, 1 and 2 channels
def test_channel_attention_by_hand(filters, rng):
    """In PyTorch's order: channels come before places wherever a map becomes a code."""
    side, narrow = 16, max(filters // 8, 1)
    shapes = {
        "x.conv.weight": (narrow, filters, 1, 1),
        "x.conv.bias": (narrow,),
        "x.linear_1.weight": (8 * narrow, 4 * narrow),
        "x.linear_1.bias": (8 * narrow,),
        "x.linear_2.weight": (64 * narrow, 8 * narrow),
        "x.linear_2.bias": (64 * narrow,),
        "x.conv_t.weight": (narrow, filters, 1, 1),
        "x.conv_t.bias": (filters,),
    }
    state = {key: rng.normal(0, 0.5, shape).astype("f") for key, shape in shapes.items()}
    layer = CompressedChannelAttention(filters, side)
    x = rng.normal(size=(2, side, side, filters)).astype("f")
    layer.build(x.shape)
    layouts.assign("x", reference_weights._channel_attention(layer, "x"), state)
    conv, conv_bias, w1, b1, w2, b2, conv_t, bias = state.values()
    code = 0
    for reduce in (np.mean, np.max):
        small = np.einsum("bhwc,nc->bnhw", pooled(x, reduce, 8), conv[:, :, 0, 0])
        small = small + conv_bias[:, None, None]
        code = code + np.maximum(small.reshape(2, -1) @ w1.T + b1, 0) @ w2.T + b2
    logits = np.tile(bias, (2, side, side, 1))
    logits[:, ::2, ::2] += np.einsum(
        "bnhw,nc->bhwc", code.reshape(2, narrow, 8, 8), conv_t[:, :, 0, 0]
    )
    np.testing.assert_allclose(layer(x), x / (1 + np.exp(-logits)), atol=1e-5)


def test_spatial_attention_by_hand(rng):
    x = rng.normal(size=(2, 16, 16, 4)).astype("f")
    layer = scrambled(CompressedSpatialAttention(4), x.shape, rng)
    small = pooled(pooled(x, np.mean, 2), np.max, 2)
    f, g, h = (small @ np.array(dense.kernel) for dense in (layer.f, layer.g, layer.h))
    scores = np.exp(f.swapaxes(1, 2) * g)
    attended = scores / scores.sum(-1, keepdims=True) * h
    assert attended.shape == (2, 3, 3, 4)
    places = np.clip((np.arange(16) + 0.5) * 3 / 16 - 0.5, 0, 2)
    resize = np.maximum(1 - np.abs(places[:, None] - np.arange(3)), 0)
    expected = np.einsum("yi,xj,bijc->byxc", resize, resize, attended)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


@pytest.mark.parametrize(
    "layer", [CompressedChannelAttention(6, 8), CompressedSpatialAttention(6)], ids=str
)
def test_both_survive_saving(layer, rng, tmp_path):
    inputs = keras.Input((8, 8, 6))
    model = keras.Model(inputs, layer.__class__.from_config(layer.get_config())(inputs))
    model.set_weights([rng.normal(size=w.shape) for w in model.weights])
    model.save(tmp_path / "model.keras")
    x = rng.normal(size=(2, 8, 8, 6)).astype("f")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(x), restored(x))


def test_sides_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="side must be a multiple of 8, got 12"):
        CompressedChannelAttention(8, 12)


XLA_IN_HALF_PRECISION = """
import tensorflow as tf
from t2i_tf.networks import build
from t2i_tf.networks.dual_compressed import CompressedChannelAttention, CompressedSpatialAttention

with build.precision("mixed_bfloat16"):
    channel, spatial = CompressedChannelAttention(8, 16), CompressedSpatialAttention(8)
x = tf.random.stateless_normal((2, 16, 16, 8), [1, 2])
spatial(channel(x))
weights = [weight.value for layer in (channel, spatial) for weight in layer.trainable_weights]

@tf.function(jit_compile=True)
def gradients():
    with tf.GradientTape() as tape:
        result = spatial(channel(x))
        loss = tf.reduce_sum(tf.square(tf.cast(result, "float32")))
    assert result.dtype == "bfloat16"
    return tape.gradient(loss, weights)

assert all(tf.reduce_any(gradient != 0) for gradient in gradients())
"""


def test_xla_differentiates_them_in_half_precision():
    """Runs in its own process: elsewhere determinism may be on, which XLA's MaxPool refuses."""
    command = [sys.executable, "-c", XLA_IN_HALF_PRECISION]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
