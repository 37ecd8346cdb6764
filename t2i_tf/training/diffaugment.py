"""Differentiable augmentation of discriminators' images (Zhao et al., 2020, arXiv:2006.10738)."""

from collections.abc import Sequence

import tensorflow as tf

TRANSLATION, CUTOUT = 1 / 8, 1 / 2  # The paper's, as parts of the side.
DRAWS = 7  # Uniform random numbers that an image needs.


def diffaugment(images: tf.Tensor, draws: tf.Tensor, policy: Sequence[str]) -> tf.Tensor:
    """Augments each image by its own random numbers; gradients flow through.

    Args:
        images: `[B, S, S, 3]` in [-1, 1].
        draws: `[B, DRAWS]`, uniform in [0, 1).
        policy: The augmentations, of `"color"` (brightness, saturation, contrast), `"translation"`
            (up to an eighth of the side, filled with zeros) and `"cutout"` (a square of half the
            side set to zero).

    Returns:
        `[B, S, S, 3]`.
    """
    for name in policy:
        images = POLICIES[name](images, tf.cast(draws, images.dtype))
    return images


def _color(images, draws):
    brightness, saturation, contrast = (draws[:, i, None, None, None] for i in range(3))
    images = images + (brightness - 0.5)
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = grey + (images - grey) * (2.0 * saturation)
    level = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return level + (images - level) * (contrast + 0.5)


def _translation(images, draws):
    side = images.shape[1]
    most = int(side * TRANSLATION + 0.5)
    padded = tf.pad(images, [[0, 0], [most, most], [most, most], [0, 0]])
    first = tf.cast(tf.floor(draws[:, 3:5] * (2 * most + 1)), tf.int32)  # `most` means no shift
    rows, columns = (first[:, i, None] + tf.range(side) for i in range(2))
    return tf.gather(tf.gather(padded, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


def _cutout(images, draws):
    side = images.shape[1]
    half = int(side * CUTOUT + 0.5) // 2
    centre = tf.floor(draws[:, 5:7] * (side + 1))
    places = tf.range(side, dtype=images.dtype)
    rows, columns = (
        (places >= centre[:, i, None] - half) & (places < centre[:, i, None] + half)
        for i in range(2)
    )
    hole = rows[:, :, None] & columns[:, None]
    return images * tf.cast(~hole, images.dtype)[..., None]


POLICIES = {"color": _color, "translation": _translation, "cutout": _cutout}
