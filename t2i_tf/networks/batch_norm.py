"""Batch normalization in one operation where the backend has it.

`keras.ops` knows it only in parts, which take six times as long on CPU.
"""

import keras
from keras import ops

if keras.config.backend() == "tensorflow":
    import tensorflow as tf


@keras.saving.register_keras_serializable("t2i_tf")
class BatchNorm(keras.layers.BatchNormalization):
    """Keras' layer; in training TensorFlow computes it as a whole."""

    def call(self, x, training=False, groups=1):
        """Normalizes `[B, ..., C]`; in training each of `groups` equal parts of B by itself."""
        if not training or groups == 1:
            return self._normalize(x, training)
        return ops.concatenate([self._normalize(part, training) for part in ops.split(x, groups)])

    def _normalize(self, x, training):
        own = training and self.trainable and not self.synchronized
        if not own or not _is_whole(x):
            return super().call(x, training=training)
        x, *statistics = _whole(x, self.gamma, self.beta, self.epsilon)
        for moving, now in zip((self.moving_mean, self.moving_variance), statistics, strict=True):
            moving.assign(moving * self.momentum + now * (1.0 - self.momentum))
        return x


def _is_whole(x):
    """Whether the backend normalizes such a tensor in one operation."""
    single_or_half = keras.backend.standardize_dtype(x.dtype) != "float64"
    return keras.config.backend() == "tensorflow" and len(x.shape) == 4 and single_or_half


def _whole(x, gamma, beta, epsilon):
    """x `[B, H, W, C]` normalized by its own statistics, and these: mean and variance, `[C]`."""
    y, mean, unbiased, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon, is_training=True
    )
    count = tf.cast(tf.size(x) // x.shape[-1], unbiased.dtype)
    return y, mean, unbiased * (count - 1.0) / count
