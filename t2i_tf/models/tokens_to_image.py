"""Turns token ids into images as one model; everything that draws runs this graph."""

import keras
import tensorflow as tf


class TokensToImage(keras.Model):
    """A text encoder and an (averaged) generator as one model on token ids.

    An image is a function of (tokens, seed), to the bit where it is drawn alone. In a batch,
    TensorFlow's kernels may add in another order: by rounding, up to one pixel of 26,000 was then
    one level of 255 away (bundled model of 64 px, CPU, batches of 2 to 64; none at 2, 4 and 6).

    Args:
        text_encoder: A built `TextEncoder`.
        generator: A built `Generator`.
    """

    def __init__(self, text_encoder: keras.Model, generator: keras.Model, **kwargs):
        super().__init__(**kwargs)
        self.text_encoder = text_encoder
        self.generator = generator

    def call(self, tokens, seeds):
        """Draws one image per row, with noise and condition from the row's seed.

        Args:
            tokens: int32 `[B, T]`, 0 after the last word; at least one word per row.
            seeds: int64 `[B]`.

        Returns:
            What `Generator.call` returns.
        """
        noise_dim, condition_dim = self.generator.noise_dim, self.generator.condition_dim
        draws = tf.map_fn(
            lambda seed: tf.random.stateless_normal(
                [noise_dim + condition_dim], tf.stack([seed, 0]), alg="philox"
            ),
            seeds,
            fn_output_signature=tf.TensorSpec([noise_dim + condition_dim], tf.float32),
        )
        return self._draw(tokens, draws[:, :noise_dim], draws[:, noise_dim:])

    def from_noise(self, tokens: tf.Tensor, noise: tf.Tensor) -> dict:
        """As `call`, with noise `[B, Z]` given and the condition at its mean (eps = 0)."""
        eps = tf.zeros([tf.shape(noise)[0], self.generator.condition_dim])
        return self._draw(tokens, noise, eps)

    def _draw(self, tokens, noise, eps):
        words, sentence = self.text_encoder(tokens)
        return self.generator(sentence, words, tokens != 0, noise, eps)
