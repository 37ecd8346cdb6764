"""The attentional generator (AttnGAN, section 3.1), for any number of stages."""

import keras
from keras import ops

from t2i_tf.networks.layers import Blocks, ConditioningAugmentation
from t2i_tf.networks.stages import (
    AttentionStage,
    CompressedDualAttentionStage,
    DualAttentionStage,
    InitialStage,
    JointStage,
)

STAGES = {
    "textual": AttentionStage,
    "none": JointStage,
    "dual": DualAttentionStage,
    "dual_compressed": CompressedDualAttentionStage,
}
RELU_FIRST = ("dual", "dual_compressed")  # whose first stage has a ReLU instead of a GLU
IMAGE_HEADS = ("all", "last")


@keras.saving.register_keras_serializable("t2i_tf")
class Generator(keras.Model):
    """Draws images of doubling size from a sentence code, word features and noise.

    Args:
        stages: Number of stages; the first has `base_size` pixels per side, each later one twice as
            many as the one before.
        filters: GF.
        noise_dim: Z.
        condition_dim: C.
        residual_blocks: R, in each attention stage.
        base_size: Side of the first image.
        normalize_sentence: Standardise each sentence code before use.
        logvar_bias: See `ConditioningAugmentation`.
        attention: What the later stages look at: `"textual"` (AttnGAN), `"dual"` (DualAttn-GAN,
            whose first stage also uses ReLU instead of a GLU), `"dual_compressed"` (the network
            that a student project published by that name) or `"none"` (StackGAN-v2: the condition).
        image_heads: `"all"` draws an image at every stage, `"last"` (AttnDCGAN) only at the end.
        blocks: Makes the parts; by default in the form for training, which is also the only form
            that `get_config` and saving support.

    Raises:
        ValueError: `attention` or `image_heads` is unknown.
    """

    def __init__(
        self,
        stages: int = 3,
        filters: int = 32,
        noise_dim: int = 100,
        condition_dim: int = 100,
        residual_blocks: int = 2,
        base_size: int = 64,
        normalize_sentence: bool = False,
        logvar_bias: float = 0.0,
        attention: str = "textual",
        image_heads: str = "all",
        blocks: Blocks | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if attention not in STAGES:
            raise ValueError(f"attention must be one of {sorted(STAGES)}, got {attention!r}")
        if image_heads not in IMAGE_HEADS:
            raise ValueError(f"image_heads must be one of {IMAGE_HEADS}, got {image_heads!r}")
        blocks = blocks or Blocks()
        self.stages = stages
        self.filters = filters
        self.noise_dim = noise_dim
        self.condition_dim = condition_dim
        self.residual_blocks = residual_blocks
        self.base_size = base_size
        self.normalize_sentence = normalize_sentence
        self.standardize = blocks.standardize
        self.logvar_bias = logvar_bias
        self.attention = attention
        self.image_heads = image_heads
        self.condition = ConditioningAugmentation(condition_dim, logvar_bias, name="condition")
        activation = "relu" if attention in RELU_FIRST else "glu"
        self.initial = InitialStage(filters, base_size, activation, blocks, name="initial")
        self.refine = [
            STAGES[attention](
                filters, base_size * 2 ** (i - 1), residual_blocks, blocks, name=f"stage_{i}"
            )
            for i in range(1, stages)
        ]
        self.first_image = 0 if image_heads == "all" else stages - 1
        self.heads = [
            blocks.conv(3, name=f"image_{i}", dtype=keras.config.floatx())
            for i in range(self.first_image, stages)
        ]

    @property
    def image_sizes(self) -> tuple[int, ...]:
        """Sides of the images, in pixels, smallest first."""
        return tuple(self.base_size * 2**i for i in range(self.first_image, self.stages))

    def build(self, sentence_shape, words_shape, noise_shape, eps_shape):
        self.condition.build(sentence_shape)
        self.initial.build((None, self.condition_dim + self.noise_dim))
        features_shapes = [(None, self.base_size, self.base_size, self.filters)]
        for stage in self.refine:
            looked_at = (None, self.condition_dim) if self.attention == "none" else words_shape
            stage.build(features_shapes[-1], looked_at)
            side = 2 * features_shapes[-1][1]
            features_shapes.append((None, side, side, self.filters))
        for head, shape in zip(self.heads, features_shapes[self.first_image :], strict=True):
            head.build(shape)

    def call(self, sentence, words, mask, noise, eps, training=False):
        """Draws one image per row at every stage.

        Args:
            sentence: `[B, E]`.
            words: `[B, T, E]`.
            mask: Boolean `[B, T]`, True at real words.
            noise: `[B, Z]`, standard normal.
            eps: `[B, C]`, standard normal; zeros give the condition's mean.
            training: Whether BatchNorm uses the batch's statistics.

        Returns:
            A dict: `images`, a list of `[B, s, s, 3]` in [-1, 1], one for each of `image_sizes`;
            `attention`, a list of `[B, s, s, T]`, one for each stage that attends to words; `mu`
            and `logvar`, `[B, C]`.
        """
        if self.normalize_sentence:
            sentence = self.standardize(sentence)
        condition, mu, logvar = self.condition(sentence, eps)
        h = self.initial(ops.concatenate([condition, noise], axis=-1), training=training)
        features, attention = [h], []
        for stage in self.refine:
            if self.attention == "none":
                h = stage(h, condition, training=training)
            else:
                h, weights = stage(h, words, mask, training=training)
                attention.append(weights)
            features.append(h)
        images = [
            ops.tanh(head(h))
            for head, h in zip(self.heads, features[self.first_image :], strict=True)
        ]
        return {"images": images, "attention": attention, "mu": mu, "logvar": logvar}

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
            "attention": self.attention,
            "image_heads": self.image_heads,
        }
