"""DAMSM's own view of a picture: where it finds each word."""

import keras
import numpy as np
import tensorflow as tf

from t2i_tf.networks.attention import word_region_attention


def word_regions(
    text_encoder: keras.Model, image_encoder: keras.Model, gamma1: float
) -> tf.types.experimental.PolymorphicFunction:
    """A graph that finds the regions of each word in its own picture (AttnGAN, eq. 8).

    Args:
        text_encoder: DAMSM's.
        image_encoder: DAMSM's.
        gamma1: The sharpness of that attention.

    Returns:
        A function of tokens `[N, T]` and pictures in [-1, 1] `[N, H, W, 3]`, whose attention
        `[N, h, w, T]` sums to one over the regions.
    """

    @tf.function
    def attention(tokens, images):
        words, _ = text_encoder(tokens)
        regions, _ = image_encoder(images)
        rows, height, width, units = regions.shape
        regions = tf.cast(tf.reshape(regions, [-1, height * width, units]), tf.float32)
        _, maps = word_region_attention(words, regions, tokens != 0, gamma1)
        own = tf.gather_nd(maps, np.stack([np.arange(rows)] * 2, axis=1))  # [N, T, regions]
        return tf.transpose(tf.reshape(own, [rows, -1, height, width]), [0, 2, 3, 1])

    return attention
