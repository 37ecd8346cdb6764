import keras
import numpy as np
import pytest
from keras import ops

from t2i_tf.networks import layers

IMAGE_BLOCKS = [
    layers.UpBlock(4),
    layers.ResidualBlock(6),
    layers.InvertedResidualBlock(6, expansion=2),
    layers.DownBlock(8),
    layers.DownBlock(8, strides=1, normalization="spectral"),
    layers.DownBlock(8, normalization=None),
]


def test_glu_by_hand():
    np.testing.assert_allclose(layers.glu(np.array([[6.0, -2.0, 0.0, 0.0]], "f")), [[3.0, -1.0]])


def test_standardize_gives_mean_0_and_variance_1(rng):
    codes = np.array(layers.standardize(rng.normal(3.0, 5.0, size=(4, 64)).astype("f")))
    np.testing.assert_allclose(codes.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(codes.var(-1), 1, rtol=1e-4)


@pytest.mark.parametrize("block", IMAGE_BLOCKS, ids=lambda block: block.name)
def test_blocks_survive_saving(block, rng, tmp_path):
    inputs = keras.Input((8, 8, 6))
    model = keras.Model(inputs, block.__class__.from_config(block.get_config())(inputs))
    images = rng.normal(size=(2, 8, 8, 6)).astype("float32")
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        model.predict(images, verbose=0), restored.predict(images, verbose=0)
    )


def test_up_block_equals_nearest_upsampling_and_convolution(rng):
    block = layers.UpBlock(5)
    x = rng.normal(size=(2, 6, 7, 3)).astype("float32")
    actual = block(x, training=True)
    upsampled = ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2)
    expected = ops.conv(upsampled, block.kernel, padding="same")
    mean, variance = ops.moments(expected, axes=(0, 1, 2))
    expected = (expected - mean) * ops.rsqrt(variance + layers.BATCH_NORM_EPSILON)
    expected = layers.glu(expected * block.norm.gamma + block.norm.beta)
    assert actual.shape == (2, 12, 14, 5)
    np.testing.assert_allclose(actual, expected, atol=2e-5)


def test_a_down_block_normalizes_each_batch_alone(rng):
    together, apart = layers.DownBlock(8), layers.DownBlock(8)
    x = rng.normal(size=(6, 8, 8, 3)).astype("float32") * np.repeat([1, 5], 3)[:, None, None, None]
    for block in (together, apart):
        block.build(x.shape)
    apart.set_weights(together.get_weights())
    expected = np.concatenate([apart(half, training=True) for half in (x[:3], x[3:])])
    np.testing.assert_allclose(together(x, training=True, groups=2), expected, atol=1e-5)
    for a, b in zip(together.get_weights(), apart.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_conditioning_augmentation_by_hand(rng):
    layer = layers.ConditioningAugmentation(2, logvar_bias=-1.0)
    sentence = rng.normal(size=(3, 5)).astype("float32")
    zero, mu, logvar = layer(sentence, np.zeros((3, 2), "f"))
    np.testing.assert_array_equal(zero, mu)
    values = np.array(layers.glu(layer.dense(sentence)))
    np.testing.assert_allclose(mu, values[:, :2], rtol=1e-6)
    np.testing.assert_allclose(logvar, values[:, 2:] - 1.0, rtol=1e-6)
    drawn, _, _ = layer(sentence, np.full((3, 2), 2.0, "f"))
    np.testing.assert_allclose(drawn, mu + 2 * np.exp(np.array(logvar) / 2), rtol=1e-5)
