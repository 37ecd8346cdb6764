import keras
import numpy as np
import pytest
import tensorflow as tf

from t2i_tf.networks.batch_norm import BatchNorm


@pytest.mark.parametrize(
    "shape, dtype", [((3, 4, 5, 6), "float32"), ((7, 6), "float32"), ((3, 4, 5, 6), "float64")]
)
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_equals_keras(rng, shape, dtype, training):
    x = tf.constant(rng.normal(2.0, 3.0, shape), dtype)
    results = []
    for kind in (BatchNorm, keras.layers.BatchNormalization):
        layer = kind(momentum=0.9, epsilon=1e-5, dtype=dtype)
        layer.build(shape)
        layer.set_weights(np.linspace(0.5, 2.0, 24).reshape(4, 6))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training)
            loss = tf.reduce_sum(y**3)
        gradients = tape.gradient(loss, (x, *layer.trainable_variables))
        results.append((y, *gradients, *layer.non_trainable_variables))
    for actual, expected in zip(*results, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


def test_a_frozen_layer_keeps_its_statistics(rng):
    layer = BatchNorm()
    x = rng.normal(size=(2, 4, 4, 3)).astype("float32")
    layer.build(x.shape)
    layer.trainable = False
    before = layer.get_weights()
    np.testing.assert_array_equal(layer(x, training=True), layer(x))
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
