"""Discriminators: one for each image size, with a conditional and usually an unconditional head."""

import keras
from keras import KerasTensor as Tensor
from keras import ops

from t2i_tf.networks.layers import Blocks, DownBlock, standardize

NORMS = ("batch", "spectral")


@keras.saving.register_keras_serializable("t2i_tf")
class Discriminator(keras.Model):
    """Tells real images of one size from fakes, alone and with a sentence (AttnGAN, 3.1).

    Stride-2 blocks halve the image to 4x4, doubling the channels from DF; if there are then more
    than 8 DF channels, 3x3 blocks bring them back to 8 DF.

    Args:
        image_size: Side in pixels, a power of two of at least 16.
        filters: DF.
        norm: `"batch"` or `"spectral"`.
        normalize_sentence: Standardise each sentence code before use.
        unconditional: Whether there is also a head for images without their sentences.
        blocks: Makes the parts, see `Blocks`.

    Raises:
        ValueError: `norm` is unknown.
    """

    def __init__(
        self,
        image_size: int,
        filters: int = 64,
        norm: str = "batch",
        normalize_sentence: bool = False,
        unconditional: bool = True,
        blocks: Blocks | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if norm not in NORMS:
            raise ValueError(f"norm must be one of {NORMS}, got {norm!r}")
        blocks = blocks or Blocks()
        self.image_size = image_size
        self.filters = filters
        self.norm = norm
        self.normalize_sentence = normalize_sentence
        downs = (image_size // 4).bit_length() - 1
        widths = [filters * 2**i for i in range(downs)]
        first_norm = "spectral" if norm == "spectral" else None
        self.blocks = [
            DownBlock(
                width, normalization=norm if i else first_norm, blocks=blocks, name=f"down_{i}"
            )
            for i, width in enumerate(widths)
        ]
        self.top = min(widths[-1], 8 * filters)
        width = widths[-1]
        while width > self.top:
            width //= 2
            self.blocks.append(DownBlock(width, 1, norm, blocks, name=f"keep_{width}"))
        self.joint = DownBlock(self.top, 1, norm, blocks, name="joint")
        self.unconditional_head = None
        if unconditional:
            self.unconditional_head = self._head(blocks, "unconditional_head")
        self.conditional_head = self._head(blocks, "conditional_head")

    def _head(self, blocks, name):
        spectral = self.norm == "spectral"
        return blocks.conv(
            1,
            4,
            strides=4,
            use_bias=True,
            spectral_norm=spectral,
            name=name,
            dtype=keras.config.floatx(),
        )

    def build(self, images_shape, sentence_shape):
        shape = images_shape
        for block in self.blocks:
            block.build(shape)
            shape = block.compute_output_shape(shape)
        if self.unconditional_head is not None:
            self.unconditional_head.build(shape)
        self.joint.build((*shape[:-1], shape[-1] + sentence_shape[-1]))
        self.conditional_head.build((*shape[:-1], self.top))

    def features(self, images: Tensor, training: bool = False, groups: int = 1) -> Tensor:
        """Maps images `[B, S, S, 3]` in [-1, 1] to features `[B, 4, 4, 8 DF]`.

        For `groups` see `BatchNorm`.
        """
        for block in self.blocks:
            images = block(images, training=training, groups=groups)
        return images

    def unconditional(self, features: Tensor, training: bool = False) -> Tensor | None:
        """Logits `[B]` of the images alone; None without the unconditional head."""
        if self.unconditional_head is None:
            return None
        return _flatten(self.unconditional_head(features, training=training))

    def conditional(self, features: Tensor, sentence: Tensor, training: bool = False) -> Tensor:
        """Logits `[B]` of the images with sentences `[B, E]`."""
        if self.normalize_sentence:
            sentence = standardize(sentence)
        tiled = ops.tile(sentence[:, None, None, :], (1, 4, 4, 1))
        joint = self.joint(ops.concatenate([features, tiled], axis=-1), training=training)
        return _flatten(self.conditional_head(joint, training=training))

    def call(self, images, sentence, training=False):
        """Logits of images with sentences, each `[B]`: (unconditional, if any, conditional)."""
        features = self.features(images, training=training)
        alone = self.unconditional(features, training=training)
        joint = self.conditional(features, sentence, training=training)
        return (joint,) if alone is None else (alone, joint)

    def get_config(self):
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "filters": self.filters,
            "norm": self.norm,
            "normalize_sentence": self.normalize_sentence,
            "unconditional": self.unconditional_head is not None,
        }


def _flatten(logits):
    return ops.reshape(logits, (-1,))
