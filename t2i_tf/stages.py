"""The stages of the generator: the first from a code, the later ones from the stage before."""

import keras
from keras import ops

from t2i_tf.attention import TextualAttention, VisualAttention
from t2i_tf.convolutions import conv
from t2i_tf.layers import InvertedResidualBlock, ResidualBlock, UpBlock, batch_norm, glu


@keras.saving.register_keras_serializable("t2i_tf")
class InitialStage(keras.layers.Layer):
    """Stage 0: [c, z] -> dense -> 4x4 -> up-blocks to `size` (64 in the paper).

    Args:
        filters: GF, the channels at full size; the 4x4 map has `filters * size / 4`.
        size: Output side in pixels, a power of two of at least 8.
        activation: `"glu"`, or `"relu"` as in DualAttn-GAN, after the dense layer.
    """

    def __init__(self, filters, size=64, activation="glu", **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.size = size
        self.activation = activation
        self.activate = {"glu": glu, "relu": ops.relu}[activation]
        self.top = filters * size // 4
        self.units = 4 * 4 * self.top * (2 if activation == "glu" else 1)
        self.dense = keras.layers.Dense(
            self.units,
            use_bias=False,
            kernel_initializer="orthogonal",
            name="dense",
        )
        self.norm = batch_norm("norm")
        self.up_blocks = []
        channels = self.top
        while channels > filters:
            channels //= 2
            self.up_blocks.append(UpBlock(channels, name=f"up_{len(self.up_blocks)}"))

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.norm.build((None, self.units))
        shape = (None, 4, 4, self.top)
        for block in self.up_blocks:
            block.build(shape)
            shape = block.compute_output_shape(shape)

    def call(self, code, training=False):
        """Maps `[B, C + Z]` to `[B, size, size, GF]`."""
        h = self.activate(self.norm(self.dense(code), training=training))
        h = ops.reshape(h, (-1, 4, 4, self.top))
        for block in self.up_blocks:
            h = block(h, training=training)
        return h

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "size": self.size,
            "activation": self.activation,
        }


class _LaterStage(keras.layers.Layer):
    """What the later stages share: [features, context] -> blocks of 2 GF channels -> up-block.

    Args:
        filters: GF.
        residual_blocks: R.
    """

    block = ResidualBlock

    def __init__(self, filters, residual_blocks=2, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.residual_blocks = residual_blocks
        self.blocks = [
            self.block(2 * filters, name=f"residual_{i}") for i in range(residual_blocks)
        ]
        self.up = UpBlock(filters, name="up")

    def build_blocks(self, features_shape):
        joined = (*features_shape[:-1], 2 * self.filters)
        for block in self.blocks:
            block.build(joined)
        self.up.build(joined)

    def refine(self, h, training):
        for block in self.blocks:
            h = block(h, training=training)
        return self.up(h, training=training)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "residual_blocks": self.residual_blocks,
        }


@keras.saving.register_keras_serializable("t2i_tf")
class AttentionStage(_LaterStage):
    """Word attention, concatenation, residual blocks, up-block (AttnGAN, eq. 1)."""

    def __init__(self, filters, residual_blocks=2, **kwargs):
        super().__init__(filters, residual_blocks, **kwargs)
        self.attention = TextualAttention(filters, name="attention")

    def build(self, features_shape, words_shape):
        self.attention.build(features_shape, words_shape)
        self.build_blocks(features_shape)

    def call(self, features, words, mask, training=False):
        """Maps `[B, h, w, GF]` to (`[B, 2h, 2w, GF]`, attention `[B, h, w, T]`)."""
        context, attention = self.attention(features, words, mask)
        h = ops.concatenate([features, context], axis=-1)
        return self.refine(h, training), attention


@keras.saving.register_keras_serializable("t2i_tf")
class JointStage(_LaterStage):
    """The condition at every place instead of attended words (StackGAN-v2, section 3.2)."""

    def __init__(self, filters, residual_blocks=2, **kwargs):
        super().__init__(filters, residual_blocks, **kwargs)
        self.joint = conv(4 * filters, name="joint")
        self.norm = batch_norm("norm")

    def build(self, features_shape, condition_shape):
        channels = features_shape[-1] + condition_shape[-1]
        self.joint.build((*features_shape[:-1], channels))
        self.norm.build((*features_shape[:-1], 4 * self.filters))
        self.build_blocks(features_shape)

    def call(self, features, condition, training=False):
        """Maps `[B, h, w, GF]` and the condition `[B, C]` to `[B, 2h, 2w, GF]`."""
        _, height, width, _ = features.shape
        tiled = ops.tile(condition[:, None, None], (1, height, width, 1))
        h = self.joint(ops.concatenate([features, tiled], axis=-1))
        return self.refine(glu(self.norm(h, training=training)), training)


@keras.saving.register_keras_serializable("t2i_tf")
class DualAttentionStage(_LaterStage):
    """Textual beside visual attention, merged by a 1x1 convolution (DualAttn-GAN, section III).

    The attention embedding is conv([h + textual, h + visual]); inverted residual blocks follow.
    Source: Cai et al., "Dualattn-GAN: Text to Image Synthesis With Dual Attentional Generative
    Adversarial Network", IEEE Access, 2019.
    """

    block = InvertedResidualBlock

    def __init__(self, filters, residual_blocks=2, **kwargs):
        super().__init__(filters, residual_blocks, **kwargs)
        self.textual = TextualAttention(filters, name="textual")
        self.visual = VisualAttention(filters, name="visual")
        self.embed = conv(2 * filters, 1, name="embed")

    def build(self, features_shape, words_shape):
        self.textual.build(features_shape, words_shape)
        self.visual.build(features_shape)
        self.embed.build((*features_shape[:-1], 2 * self.filters))
        self.build_blocks(features_shape)

    def call(self, features, words, mask, training=False):
        """Maps `[B, h, w, GF]` to (`[B, 2h, 2w, GF]`, textual attention `[B, h, w, T]`)."""
        context, attention = self.textual(features, words, mask)
        both = [features + context, features + self.visual(features)]
        return self.refine(self.embed(ops.concatenate(both, axis=-1)), training), attention
