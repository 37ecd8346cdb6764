"""Text encoder and generator in the form that the TFLite converter makes small, fast files of.

The arithmetic is that of `TokensToImage.from_noise`; the blocks differ where a converter cannot
know better:

- Up-blocks upsample and convolve with the learnt 3x3 kernel: the 4x4 kernel of the transposed
  convolution that TensorFlow is faster with would be 16/9 times larger in the file.
- For int8, masked scores get a small number: beside -1e9 all real scores would round to zero.
- A sentence is standardised without the epsilon, which int8 cannot hold beside the variance, and
  the picture leaves as tanh's own 8 bits.
"""

from pathlib import Path

import tensorflow as tf

from data_pipeline.pixels import to_uint8
from t2i_tf.models import model_directory
from t2i_tf.models.text_to_image import TokensToImage
from t2i_tf.networks import attention, layers

MASKED_INT8 = -20.0


class LiteBlocks(layers.Blocks):
    """Makes blocks for TFLite, whose weights lie where those of the form that trains lie.

    Args:
        masked: The score of a word that is none.
    """

    def __init__(self, masked: float = attention.MASKED):
        self.masked = masked

    def up(self, filters: int, side: int, name: str) -> "UpBlock":
        """An up-block that keeps the learnt kernel."""
        return UpBlock(filters, name=name)

    def textual_attention(self, filters: int, name: str) -> "TextualAttention":
        """Attention that gives masked words this score."""
        return TextualAttention(filters, self.masked, name=name)

    def standardize(self, codes: tf.Tensor) -> tf.Tensor:
        """Brings codes `[B, E]` to mean 0 and variance 1."""
        codes -= tf.reduce_mean(codes, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(codes), axis=-1, keepdims=True)
        return codes * tf.math.rsqrt(variance)


# The two layers keep the names of their base classes: weights files name what lies in a list by it.


class UpBlock(layers.UpBlock):
    """Doubles the size by a resize and a convolution."""

    def upsampled_conv(self, x: tf.Tensor) -> tf.Tensor:
        """Nearest upsampling to twice the size, then a 'same' convolution."""
        _, height, width, _ = x.shape
        x = tf.image.resize(x, (2 * height, 2 * width), method="nearest")
        return tf.nn.conv2d(x, tf.convert_to_tensor(self.kernel), strides=1, padding="SAME")


class TextualAttention(attention.TextualAttention):
    """Attention of regions to words.

    Args:
        filters: Channels of the regions.
        masked: The score of a word that is none.
    """

    def __init__(self, filters: int, masked: float, **kwargs):
        super().__init__(filters, **kwargs)
        self.masked = masked

    def call(
        self, features: tf.Tensor, words: tf.Tensor, mask: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """As the base class, with the other score."""
        projected = self.project(words)
        scores = tf.einsum("bhwc,btc->bhwt", features, projected)
        scores = tf.where(mask[:, None, None, :], scores, self.masked)
        weights = tf.nn.softmax(scores)
        return tf.einsum("bhwt,btc->bhwc", weights, projected), weights


class PhoneNetwork:
    """One picture from one caption's token ids and noise.

    Args:
        model_dir: A model directory with a generator.
        int8: Whether activations will be int8: the picture is then float.

    Attributes:
        input_signature: Of `generate_from_noise`.
    """

    def __init__(self, model_dir: str | Path, int8: bool = False):
        blocks = LiteBlocks(MASKED_INT8) if int8 else LiteBlocks()
        model = model_directory.load(model_dir, unroll=True, blocks=blocks)
        self._network, self._int8 = TokensToImage(model.text_encoder, model.generator), int8
        self.input_signature = [
            tf.TensorSpec([1, model.config.data.max_words], tf.int32, "tokens"),
            tf.TensorSpec([1, model.generator.noise_dim], tf.float32, "noise"),
        ]

    def generate_from_noise(self, tokens: tf.Tensor, noise: tf.Tensor) -> dict[str, tf.Tensor]:
        """Draws with the condition at its mean.

        Args:
            tokens: int32 `[1, T]`, 0 after the last word.
            noise: float32 `[1, Z]`.

        Returns:
            `{"image": [1, H, W, 3]}`, uint8, or for int8 float32 in [-1, 1].
        """
        image = self._network.from_noise(tokens, noise)["images"][-1]
        return {"image": image if self._int8 else to_uint8(image)}
