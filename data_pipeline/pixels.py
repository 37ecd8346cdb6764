"""The two ranges of a picture's values: whole levels of 0 to 255, and floats in [-1, 1]."""

import numpy as np
import tensorflow as tf

_HALF = 127.5


def to_float(levels: tf.Tensor | np.ndarray) -> tf.Tensor:
    """Levels of 0 to 255, of any type and shape, as float32 in [-1, 1]."""
    return tf.cast(levels, tf.float32) / _HALF - 1.0


def to_uint8(values: tf.Tensor | np.ndarray) -> tf.Tensor:
    """Values in [-1, 1], of any shape, as uint8; rounded, and those beyond are clipped."""
    return tf.cast(tf.round(tf.clip_by_value(values, -1.0, 1.0) * _HALF + _HALF), tf.uint8)
