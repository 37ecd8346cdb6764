import keras
import numpy as np
import tensorflow as tf

from t2i_tf.optimizers import FusedAdam


def test_fused_adam_equals_keras(rng):
    start, gradients = rng.normal(size=(5, 4)), rng.normal(size=(3, 5, 4))
    ends = []
    for kind in (FusedAdam, keras.optimizers.Adam):
        weights = keras.Variable(start, dtype="float32")
        optimizer = kind(0.1, beta_1=0.5, epsilon=1e-8)
        optimizer.build([weights])
        for gradient in gradients:
            optimizer.apply([tf.constant(gradient, "float32")], [weights])
        ends.append([np.array(variable) for variable in (weights, *optimizer.variables)])
    for fused, parts in zip(*ends, strict=True):
        np.testing.assert_allclose(fused, parts, rtol=5e-5)  # both round beta_2


def test_fused_adam_takes_gradients_of_embeddings():
    weights = keras.Variable(np.ones((4, 2)), dtype="float32")
    optimizer = FusedAdam(0.1)
    optimizer.build([weights])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.gather(weights.value, [1, 3, 3]))
    optimizer.apply(tape.gradient(loss, [weights.value]), [weights])
    np.testing.assert_allclose(weights, [[1, 1], [0.9, 0.9], [1, 1], [0.9, 0.9]], rtol=1e-5)
