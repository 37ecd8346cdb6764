"""The generator's stages: the first starts from a code, each later one from the one before."""

from collections.abc import Callable

import keras
from keras import KerasTensor as Tensor
from keras import ops

from t2i_tf.networks.attention import VisualAttention
from t2i_tf.networks.dual_compressed import (
    CompressedChannelAttention,
    CompressedSpatialAttention,
)
from t2i_tf.networks.layers import Blocks, glu


@keras.saving.register_keras_serializable("t2i_tf")
class InitialStage(keras.layers.Layer):
    """Stage 0: [c, z] -> dense -> 4x4 -> up-blocks to `size` (64 in the paper).

    Args:
        filters: GF, the channels at full size; the 4x4 map has `filters * size / 4`.
        size: Output side in pixels, a power of two of at least 8.
        activation: `"glu"`, or `"relu"` as in both DualAttn-GANs, after the dense layer.
        blocks: Makes the parts, see `Blocks`.
    """

    def __init__(
        self,
        filters: int,
        size: int = 64,
        activation: str = "glu",
        blocks: Blocks | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        blocks = blocks or Blocks()
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
        self.norm = blocks.norm("norm")
        self.up_blocks = []
        channels, side = self.top, 4
        while channels > filters:
            channels //= 2
            self.up_blocks.append(blocks.up(channels, side, name=f"up_{len(self.up_blocks)}"))
            side *= 2

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
    """The base of the later stages: [features, context] -> blocks of 2 GF channels -> up-block.

    Args:
        filters: GF.
        side: Side of the incoming features, in pixels.
        residual_blocks: R.
        blocks: Makes the parts, see `Blocks`.
    """

    def __init__(
        self,
        filters: int,
        side: int,
        residual_blocks: int = 2,
        blocks: Blocks | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        blocks = blocks or Blocks()
        self.filters = filters
        self.side = side
        self.residual_blocks = residual_blocks
        self.blocks = [
            self.residual(blocks)(2 * filters, name=f"residual_{i}") for i in range(residual_blocks)
        ]
        self.up = blocks.up(filters, side, name="up")
        self.make_own(blocks)

    def make_own(self, blocks):
        """Makes the layers that only this kind of stage has."""
        raise NotImplementedError

    def residual(self, blocks):
        """Returns the maker of this stage's residual blocks."""
        return blocks.residual

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
            "side": self.side,
            "residual_blocks": self.residual_blocks,
        }


@keras.saving.register_keras_serializable("t2i_tf")
class AttentionStage(_LaterStage):
    """Word attention, concatenation, residual blocks, up-block (AttnGAN, eq. 1)."""

    def make_own(self, blocks: Blocks) -> None:
        filters = self.filters
        self.attention = blocks.textual_attention(filters, name="attention")

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
    """Joins the condition at every place, in place of word attention (StackGAN-v2, section 3.2)."""

    def make_own(self, blocks: Blocks) -> None:
        filters = self.filters
        self.joint = blocks.conv(4 * filters, name="joint")
        self.norm = blocks.norm("norm")

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

    def make_own(self, blocks: Blocks) -> None:
        filters = self.filters
        self.textual = blocks.textual_attention(filters, name="textual")
        self.visual = VisualAttention(filters, name="visual")
        self.embed = blocks.conv(2 * filters, 1, name="embed")

    def residual(self, blocks: Blocks) -> Callable:
        return blocks.inverted_residual

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


@keras.saving.register_keras_serializable("t2i_tf")
class CompressedDualAttentionStage(_LaterStage):
    """Textual beside compressed visual attention, as a student project's DualAttn-GAN has them.

    [h + textual, h + spatial(channel(h))], residual blocks, up-block; see `dual_compressed`.
    """

    def make_own(self, blocks: Blocks) -> None:
        filters = self.filters
        self.textual = blocks.textual_attention(filters, name="textual")
        self.channel = CompressedChannelAttention(filters, self.side, name="channel")
        self.spatial = CompressedSpatialAttention(filters, name="spatial")

    def build(self, features_shape, words_shape):
        self.textual.build(features_shape, words_shape)
        self.channel.build(features_shape)
        self.spatial.build(features_shape)
        self.build_blocks(features_shape)

    def call(self, features, words, mask, training=False):
        """Maps `[B, h, w, GF]` to (`[B, 2h, 2w, GF]`, textual attention `[B, h, w, T]`)."""
        h, attention = self.attend(features, words, mask)
        return self.refine(h, training), attention

    def attend(self, features: Tensor, words: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Maps `[B, h, w, GF]` to (`[B, h, w, 2 GF]`, textual attention `[B, h, w, T]`)."""
        context, attention = self.textual(features, words, mask)
        visual = self.spatial(self.channel(features))
        return ops.concatenate([features + context, features + visual], axis=-1), attention
