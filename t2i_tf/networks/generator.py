"""The attentional generator (AttnGAN, section 3.1), for any number of stages."""

import keras
from keras import ops

from t2i_tf.layers import (
    AttentionStage,
    ConditioningAugmentation,
    InitialStage,
    conv,
    standardize,
)


@keras.saving.register_keras_serializable("t2i_tf")
class Generator(keras.Model):
    """Images of doubling size from a sentence code, word features and noise.

    Args:
        stages: Number of images; the first has `base_size` pixels a side, each next twice as many.
        filters: GF.
        noise_dim: Z.
        condition_dim: C.
        residual_blocks: R, in each attention stage.
        base_size: Side of the first image.
        normalize_sentence: Standardise each sentence code before use.
        logvar_bias: See `ConditioningAugmentation`.
    """

    def __init__(
        self,
        stages=3,
        filters=32,
        noise_dim=100,
        condition_dim=100,
        residual_blocks=2,
        base_size=64,
        normalize_sentence=False,
        logvar_bias=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.stages = stages
        self.filters = filters
        self.noise_dim = noise_dim
        self.condition_dim = condition_dim
        self.residual_blocks = residual_blocks
        self.base_size = base_size
        self.normalize_sentence = normalize_sentence
        self.logvar_bias = logvar_bias
        self.condition = ConditioningAugmentation(condition_dim, logvar_bias, name="condition")
        self.initial = InitialStage(filters, base_size, name="initial")
        self.refine = [
            AttentionStage(filters, residual_blocks, name=f"stage_{i}") for i in range(1, stages)
        ]
        self.heads = [conv(3, name=f"image_{i}") for i in range(stages)]

    @property
    def image_sizes(self):
        """Sides of the images, in pixels, smallest first."""
        return tuple(self.base_size * 2**i for i in range(self.stages))

    def call(self, sentence, words, mask, noise, eps, training=False):
        """Draws one image a row at every stage.

        Args:
            sentence: `[B, E]`.
            words: `[B, T, E]`.
            mask: Boolean `[B, T]`, True at real words.
            noise: `[B, Z]`, standard normal.
            eps: `[B, C]`, standard normal; zeros give the condition's mean.
            training: Whether BatchNorm uses the batch's statistics.

        Returns:
            A dict: `images`, a list of `[B, s, s, 3]` in [-1, 1], one per stage; `attention`, a
            list of `[B, s, s, T]`, one per stage but the first; `mu` and `logvar`, `[B, C]`.
        """
        if self.normalize_sentence:
            sentence = standardize(sentence)
        condition, mu, logvar = self.condition(sentence, eps)
        h = self.initial(ops.concatenate([condition, noise], axis=-1), training=training)
        images, attention = [self._image(0, h)], []
        for i, stage in enumerate(self.refine, start=1):
            h, weights = stage(h, words, mask, training=training)
            images.append(self._image(i, h))
            attention.append(weights)
        return {"images": images, "attention": attention, "mu": mu, "logvar": logvar}

    def _image(self, stage, h):
        return ops.tanh(ops.cast(self.heads[stage](h), "float32"))

    def get_config(self):
        return {
            **super().get_config(),
            "stages": self.stages,
            "filters": self.filters,
            "noise_dim": self.noise_dim,
            "condition_dim": self.condition_dim,
            "residual_blocks": self.residual_blocks,
            "base_size": self.base_size,
            "normalize_sentence": self.normalize_sentence,
            "logvar_bias": self.logvar_bias,
        }
