"""Turns token ids into images as one model; everything that draws runs this graph."""

import keras
import numpy as np
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

    def call(self, tokens, seeds, truncation=1.0):
        """Draws one image per row, with noise and condition from the row's seed.

        Args:
            tokens: int32 `[B, T]`, 0 after the last word; at least one word per row.
            seeds: int64 `[B]`.
            truncation: Factor of the noise and the condition's eps: below 1 the images are closer
                to what is usual for their captions, at 0 they no longer depend on the seed.

        Returns:
            What `Generator.call` returns.
        """
        return self._draw(tokens, *self._noise(seeds, truncation))

    def between(
        self,
        tokens: tf.Tensor,
        shares: tf.Tensor,
        seed: tf.Tensor,
        truncation: float | tf.Tensor = 1.0,
    ) -> dict:
        """Draws images on the way from one caption to another, all with the noise of one seed.

        Sentence codes and word features are mixed, the words by their places. Where `shares` are 0
        or 1, the images are those of `call`.

        Args:
            tokens: int32 `[2, T]`, the two captions.
            shares: float32 `[B]` within [0, 1], each image's share of the second caption.
            seed: int64 scalar.
            truncation: As in `call`.

        Returns:
            What `Generator.call` returns.
        """
        words, sentences = self.text_encoder(tokens)
        second = shares[:, None]
        sentence = (1.0 - second) * sentences[0] + second * sentences[1]
        mask = ((tokens[0] != 0) & (second < 1.0)) | ((tokens[1] != 0) & (second > 0.0))
        second = second[:, :, None]
        words = (1.0 - second) * words[0] + second * words[1]
        noise, eps = self._noise(tf.repeat(seed, tf.shape(shares)[0]), truncation)
        return self.generator(sentence, words, mask, noise, eps)

    def between_seeds(
        self,
        tokens: tf.Tensor,
        shares: tf.Tensor,
        seeds: tf.Tensor,
        truncation: float | tf.Tensor = 1.0,
    ) -> dict:
        """Draws images of one caption on the way from one seed's noise to another's.

        The way is a quarter of a circle, on which the noise stays as large as any that is drawn.

        Args:
            tokens: int32 `[1, T]`, the caption.
            shares: float32 `[B]` within [0, 1], each image's place on the way.
            seeds: int64 `[2]`.
            truncation: As in `call`.

        Returns:
            What `Generator.call` returns.
        """
        angle = shares[:, None] * (np.pi / 2.0)
        noise, eps = (
            tf.cos(angle) * ends[0] + tf.sin(angle) * ends[1]
            for ends in self._noise(seeds, truncation)
        )
        words, sentence = self.text_encoder(tokens)
        rows = tf.zeros_like(shares, tf.int32)
        own = (tf.gather(value, rows) for value in (sentence, words, tokens != 0))
        return self.generator(*own, noise, eps)

    def _noise(self, seeds, truncation):
        noise_dim, condition_dim = self.generator.noise_dim, self.generator.condition_dim
        draws = tf.map_fn(
            lambda seed: tf.random.stateless_normal(
                [noise_dim + condition_dim], tf.stack([seed, 0]), alg="philox"
            ),
            seeds,
            fn_output_signature=tf.TensorSpec([noise_dim + condition_dim], tf.float32),
        )
        draws *= truncation
        return draws[:, :noise_dim], draws[:, noise_dim:]

    def from_noise(self, tokens: tf.Tensor, noise: tf.Tensor) -> dict:
        """As `call`, with noise `[B, Z]` given and the condition at its mean (eps = 0)."""
        eps = tf.zeros([tf.shape(noise)[0], self.generator.condition_dim])
        return self._draw(tokens, noise, eps)

    def _draw(self, tokens, noise, eps):
        words, sentence = self.text_encoder(tokens)
        return self.generator(sentence, words, tokens != 0, noise, eps)
