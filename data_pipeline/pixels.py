"""Converts between pictures (uint8 levels, 0 to 255) and images (floats in [-1, 1])."""

import numpy as np
import tensorflow as tf

_HALF = 127.5


def to_float(levels: tf.Tensor | np.ndarray) -> tf.Tensor:
    """Converts levels from 0 to 255, of any type and shape, to float32 in [-1, 1]."""
    return tf.cast(levels, tf.float32) / _HALF - 1.0


def to_uint8(values: tf.Tensor | np.ndarray) -> tf.Tensor:
    """Rounds values in [-1, 1], of any shape, to uint8; values outside the range are clipped."""
    return tf.cast(tf.round(tf.clip_by_value(values, -1.0, 1.0) * _HALF + _HALF), tf.uint8)


def size_to_crop(image_size: int) -> int:
    """Pixels of the smaller side of what squares of `image_size` are cropped from (AttnGAN)."""
    return round(image_size * 76 / 64)
