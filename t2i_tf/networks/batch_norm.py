"""Batch normalization in few operations, if the backend has them.

`keras.ops` offers only its parts, which take six times as long on CPU, and Keras' synchronized form
takes five all-reduces per call.
"""

import keras
import numpy as np
from keras import KerasTensor as Tensor
from keras import ops

if keras.config.backend() == "tensorflow":
    import tensorflow as tf


@keras.saving.register_keras_serializable("t2i_tf")
class BatchNorm(keras.layers.BatchNormalization):
    """Keras' layer, faster in training on TensorFlow.

    With `synchronized`, the statistics are those of all replicas' batches together.
    """

    def call(self, x, training=False, groups=1):
        """Normalizes `[B, ..., C]`; in training, each of `groups` equal parts of B separately."""
        if not training or not self.trainable or not _is_fast(x):
            return self._plain(x, training, groups)
        if self.synchronized and _replicas() > 1:
            y, statistics = _across_replicas(x, self.gamma, self.beta, self.epsilon, groups)
        elif len(x.shape) == 4:
            parts = [_fused(p, self.gamma, self.beta, self.epsilon) for p in ops.split(x, groups)]
            y = ops.concatenate([normalized for normalized, *_ in parts])
            statistics = [own for _, *own in parts]
        else:
            return self._plain(x, training, groups)
        for own in statistics:
            for moving, now in zip((self.moving_mean, self.moving_variance), own, strict=True):
                moving.assign(moving * self.momentum + now * (1.0 - self.momentum))
        return y

    def _plain(self, x, training, groups):
        if not training or groups == 1:
            return super().call(x, training=training)
        parts = (super(BatchNorm, self).call(p, training=training) for p in ops.split(x, groups))
        return ops.concatenate(list(parts))


def fold(
    kernel: keras.Variable, norm: keras.layers.BatchNormalization
) -> tuple[np.ndarray, np.ndarray]:
    """The kernel and bias that do what a convolution without bias and its frozen norm do."""
    mean, variance = norm.moving_mean.numpy(), norm.moving_variance.numpy()
    gamma = norm.gamma.numpy() if norm.scale else np.ones_like(mean)
    scale = gamma / np.sqrt(variance + norm.epsilon)
    depthwise = kernel.shape[-1] != len(scale)
    by_channel = scale[:, None] if depthwise else scale
    return kernel.numpy() * by_channel, norm.beta.numpy() - mean * scale


def _is_fast(x):
    """Whether the backend has fast operations for this tensor."""
    single_or_half = keras.backend.standardize_dtype(x.dtype) != "float64"
    return keras.config.backend() == "tensorflow" and single_or_half


def _replicas():
    return tf.distribute.get_strategy().num_replicas_in_sync


def _fused(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> tuple[Tensor, ...]:
    """x `[B, H, W, C]` normalized by its own mean and variance, and these two, `[C]`."""
    y, mean, unbiased, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon, is_training=True
    )
    count = tf.cast(tf.size(x) // x.shape[-1], unbiased.dtype)
    return y, mean, unbiased * (count - 1.0) / count


def _across_replicas(
    x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float, groups: int
) -> tuple[Tensor, list]:
    """x normalized by the statistics of all replicas, and each group's (mean, variance), `[C]`.

    One all-reduce sums the counts, sums and sums of squares of all groups; its gradient is also one
    all-reduce. Replicas may hold different numbers of rows.
    """
    channels, floats = x.shape[-1], tf.float32
    parts = tf.reshape(tf.cast(x, floats), [groups, -1, channels])
    count = tf.fill([groups, 1], tf.cast(tf.shape(parts)[1], floats))
    sums = [count, tf.reduce_sum(parts, axis=1), tf.reduce_sum(tf.square(parts), axis=1)]
    context = tf.distribute.get_replica_context()
    total = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.concat(sums, axis=1))
    count, sums, squares = tf.split(total, [1, channels, channels], axis=1)
    mean = sums / count
    variance = tf.maximum(squares / count - tf.square(mean), 0.0)
    scale = tf.cast(gamma, floats) * tf.math.rsqrt(variance + epsilon)
    y = parts * scale[:, None] + (tf.cast(beta, floats) - mean * scale)[:, None]
    y = tf.cast(tf.reshape(y, tf.shape(x)), x.dtype)
    return y, list(zip(tf.unstack(mean), tf.unstack(variance), strict=True))
