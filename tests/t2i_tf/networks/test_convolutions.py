import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from t2i_tf.networks import convolutions


@pytest.mark.parametrize(
    "side, channels, filters, size, strides",
    [(4, 3, 256, 3, 1), (8, 5, 256, 4, 2), (4, 6, 16, 4, 4), (5, 2, 200, 3, 2)],
)
def test_small_maps_are_convolved_as_large_ones(rng, side, channels, filters, size, strides):
    assert filters * strides**2 >= convolutions.MATRIX_PRODUCT_PAYS * side**2
    x = tf.constant(rng.normal(size=(2, side, side, channels)))
    kernel = tf.constant(rng.normal(size=(size, size, channels, filters)))
    results = []
    for convolve in (convolutions.same_conv, lambda *a: tf.nn.conv2d(*a, padding="SAME")):
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            y = convolve(x, kernel, strides)
            loss = tf.reduce_sum(y**2)
        results.append((y, *tape.gradient(loss, (x, kernel))))
    for actual, expected in zip(*results, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


def test_small_maps_of_unknown_size_are_convolved(rng):
    layer = convolutions.conv(256)
    model = keras.Sequential([keras.Input((None, None, 3)), layer])
    x = rng.normal(size=(2, 4, 4, 3)).astype("float32")
    expected = ops.conv(x, layer.kernel, padding="same")
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5)


def test_spectral_convolution_has_largest_singular_value_one(rng):
    layer = convolutions.conv(6, spectral_norm=True)
    x = rng.normal(size=(1, 5, 5, 4)).astype("float32")
    layer(x)
    layer.kernel.assign(rng.normal(size=layer.kernel.shape))
    for _ in range(200):
        layer(x, training=True)
    singular = np.linalg.svd(np.reshape(layer.kernel, (-1, 6)), compute_uv=False)
    expected = ops.conv(x, layer.kernel / singular[0], padding="same")
    np.testing.assert_allclose(layer(x), expected, rtol=1e-3, atol=1e-4)


def test_spectral_convolution_keeps_its_state_outside_training(rng):
    layer = convolutions.conv(6, spectral_norm=True)
    x = rng.normal(size=(1, 5, 5, 4)).astype("float32")
    layer(x)
    before = np.array(layer.u)
    layer(x)
    np.testing.assert_array_equal(before, layer.u)
    layer(x, training=True)
    assert np.any(before != np.array(layer.u))
