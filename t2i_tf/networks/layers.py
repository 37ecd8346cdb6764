"""Building blocks shared by the generator and the discriminators (channels-last).

Initialisation follows AttnGAN (Xu et al., 2018, arXiv:1711.10485): orthogonal kernels and
BatchNorm scales drawn from N(1, 0.02).
"""

import keras
from keras import KerasTensor as Tensor
from keras import ops

from t2i_tf.networks.attention import TextualAttention
from t2i_tf.networks.batch_norm import BatchNorm
from t2i_tf.networks.convolutions import conv, upsampled_conv

BATCH_NORM_EPSILON = 1e-5
BATCH_NORM_MOMENTUM = 0.9


def glu(x: Tensor) -> Tensor:
    """Gated linear unit: the first half of the channels gated by the second (Dauphin et al., 2017).

    Args:
        x: `[..., 2C]`.

    Returns:
        `[..., C]`.
    """
    values, gates = ops.split(x, 2, axis=-1)
    return values * ops.sigmoid(gates)


def standardize(codes: Tensor) -> Tensor:
    """Brings each code `[B, E]` to mean 0 and variance 1 over its own elements."""
    mean = ops.mean(codes, axis=-1, keepdims=True)
    variance = ops.var(codes, axis=-1, keepdims=True)
    return (codes - mean) * ops.rsqrt(variance + 1e-6)


def batch_norm(name: str) -> BatchNorm:
    """BatchNormalization with the constants of the published models."""
    return BatchNorm(
        momentum=BATCH_NORM_MOMENTUM,
        epsilon=BATCH_NORM_EPSILON,
        gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02),
        name=name,
    )


@keras.saving.register_keras_serializable("t2i_tf")
class UpBlock(keras.layers.Layer):
    """Doubles the size: nearest upsampling, 3x3 convolution, BatchNorm, GLU.

    Args:
        filters: Output channels C.

    Input `[B, H, W, any]`, output `[B, 2H, 2W, C]`.
    """

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.norm = batch_norm("norm")

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(3, 3, input_shape[-1], 2 * self.filters),
            initializer="orthogonal",
            autocast=False,
        )
        self.norm.build((*input_shape[:-1], 2 * self.filters))

    def call(self, x, training=False):
        return glu(self.norm(self.upsampled_conv(x), training=training))

    def upsampled_conv(self, x: Tensor) -> Tensor:
        """See `convolutions.upsampled_conv`."""
        return upsampled_conv(x, self.kernel)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        double = (None if side is None else 2 * side for side in (height, width))
        return (batch, *double, self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable("t2i_tf")
class ResidualBlock(keras.layers.Layer):
    """x + BN(conv(GLU(BN(conv(x))))), keeping size and channels `[B, H, W, C]`.

    Args:
        filters: Channels C.
        blocks: Makes the parts, see `Blocks`.
    """

    def __init__(self, filters: int, blocks: "Blocks | None" = None, **kwargs):
        super().__init__(**kwargs)
        blocks = blocks or Blocks()
        self.filters = filters
        self.conv_1 = blocks.conv(2 * filters, name="conv_1")
        self.norm_1 = blocks.norm("norm_1")
        self.conv_2 = blocks.conv(filters, name="conv_2")
        self.norm_2 = blocks.norm("norm_2")

    def build(self, input_shape):
        wide = (*input_shape[:-1], 2 * self.filters)
        self.conv_1.build(input_shape)
        self.norm_1.build(wide)
        self.conv_2.build(input_shape)
        self.norm_2.build(input_shape)

    def call(self, x, training=False):
        h = glu(self.norm_1(self.conv_1(x), training=training))
        return x + self.norm_2(self.conv_2(h), training=training)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable("t2i_tf")
class DownBlock(keras.layers.Layer):
    """Convolution, normalisation and leaky ReLU of a discriminator.

    Args:
        filters: Output channels.
        strides: 2 halves the size with a 4x4 kernel; 1 keeps it with a 3x3 kernel.
        normalization: `"batch"`, `"spectral"` or `None`.
        blocks: Makes the parts, see `Blocks`.
    """

    def __init__(
        self,
        filters: int,
        strides: int = 2,
        normalization: str | None = "batch",
        blocks: "Blocks | None" = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        blocks = blocks or Blocks()
        self.filters = filters
        self.strides = strides
        self.normalization = normalization
        self.conv = blocks.conv(
            filters,
            kernel_size=4 if strides == 2 else 3,
            strides=strides,
            spectral_norm=normalization == "spectral",
            use_bias=normalization == "spectral",
            name="conv",
        )
        self.batch_norm = blocks.norm("norm") if normalization == "batch" else None

    def build(self, input_shape):
        self.conv.build(input_shape)
        if self.batch_norm is not None:
            self.batch_norm.build((*input_shape[:-1], self.filters))

    def call(self, x, training=False, groups=1):
        """Maps `[B, H, W, any]`; for `groups` see `BatchNorm`."""
        x = self.conv(x, training=training)
        if self.batch_norm is not None:
            x = self.batch_norm(x, training=training, groups=groups)
        return ops.leaky_relu(x, 0.2)

    def compute_output_shape(self, input_shape):
        return (*self.conv.compute_output_shape(input_shape)[:-1], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "strides": self.strides,
            "normalization": self.normalization,
        }


@keras.saving.register_keras_serializable("t2i_tf")
class ConditioningAugmentation(keras.layers.Layer):
    """Draws the condition c = mu + exp(logvar / 2) * eps from a sentence (StackGAN, eq. 2).

    Args:
        units: C, the condition's length.
        logvar_bias: Constant added to logvar; below 0, the text outweighs the noise from the first
            step on (0 in the paper).
    """

    def __init__(self, units: int, logvar_bias: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.logvar_bias = logvar_bias
        self.dense = keras.layers.Dense(4 * units, kernel_initializer="orthogonal", name="dense")

    def build(self, input_shape):
        self.dense.build(input_shape)

    def call(self, sentence, eps):
        """Maps sentence `[B, E]` and eps `[B, C]` to (condition, mu, logvar), each `[B, C]`."""
        mu, logvar = ops.split(glu(self.dense(sentence)), 2, axis=-1)
        logvar = logvar + self.logvar_bias
        return mu + ops.exp(0.5 * logvar) * eps, mu, logvar

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "logvar_bias": self.logvar_bias,
        }


@keras.saving.register_keras_serializable("t2i_tf")
class InvertedResidualBlock(keras.layers.Layer):
    """MobileNetV2's block (Sandler et al., 2018), keeping size and channels `[B, H, W, C]`.

    A 1x1 convolution widens the channels, a depthwise 3x3 one filters each of them, and a linear
    1x1 one narrows them again; the result is added to the input.

    Args:
        filters: Channels C.
        expansion: How many times wider the middle is.
        blocks: Makes the parts, see `Blocks`.
    """

    def __init__(self, filters: int, expansion: int = 6, blocks: "Blocks | None" = None, **kwargs):
        super().__init__(**kwargs)
        blocks = blocks or Blocks()
        self.filters = filters
        self.expansion = expansion
        self.expand = blocks.conv(filters * expansion, 1, name="expand")
        self.norm_1 = blocks.norm("norm_1")
        self.depthwise = keras.layers.DepthwiseConv2D(
            3, padding="same", use_bias=False, name="depthwise"
        )
        self.norm_2 = blocks.norm("norm_2")
        self.project = blocks.conv(filters, 1, name="project")
        self.norm_3 = blocks.norm("norm_3")

    def build(self, input_shape):
        wide = (*input_shape[:-1], self.filters * self.expansion)
        self.expand.build(input_shape)
        self.norm_1.build(wide)
        self.depthwise.build(wide)
        self.norm_2.build(wide)
        self.project.build(wide)
        self.norm_3.build(input_shape)

    def call(self, x, training=False):
        h = ops.relu6(self.norm_1(self.expand(x), training=training))
        h = ops.relu6(self.norm_2(self.depthwise(h), training=training))
        return x + self.norm_3(self.project(h), training=training)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "expansion": self.expansion}


class Blocks:
    """Makes the building blocks of generators and discriminators.

    A network asks this object for every block, so a subclass can build the same network in another
    form: folded for drawing only, or in operations that the converter for phones supports.
    """

    def conv(self, filters: int, kernel_size: int = 3, **kwargs) -> keras.layers.Layer:
        """A 'same' convolution, see `convolutions.conv`."""
        return conv(filters, kernel_size, **kwargs)

    def norm(self, name: str) -> keras.layers.Layer:
        """The normalisation after a convolution or a dense layer; called with the features."""
        return batch_norm(name)

    def up(self, filters: int, side: int, name: str) -> keras.layers.Layer:
        """A block that doubles features of `side` pixels."""
        return UpBlock(filters, name=name)

    def residual(self, filters: int, name: str) -> keras.layers.Layer:
        """A residual block of the later stages."""
        return ResidualBlock(filters, self, name=name)

    def inverted_residual(self, filters: int, name: str) -> keras.layers.Layer:
        """A residual block of DualAttn-GAN's later stages."""
        return InvertedResidualBlock(filters, blocks=self, name=name)

    def textual_attention(self, filters: int, name: str) -> keras.layers.Layer:
        """Attention of regions to words."""
        return TextualAttention(filters, name=name)

    def standardize(self, codes: Tensor) -> Tensor:
        """Brings sentence codes to mean 0 and variance 1."""
        return standardize(codes)
