"""Building blocks shared by the generator and the discriminators (channels-last).

Initialisation follows AttnGAN (Xu et al., 2018, arXiv:1711.10485): orthogonal kernels and
BatchNorm scales drawn from N(1, 0.02).
"""

import keras
from keras import ops

from t2i_tf.batch_norm import BatchNorm
from t2i_tf.convolutions import conv, upsampled_conv

BATCH_NORM_EPSILON = 1e-5
BATCH_NORM_MOMENTUM = 0.9


def glu(x):
    """Gated linear unit: the first half of the channels gated by the second (Dauphin et al., 2017).

    Args:
        x: `[..., 2C]`.

    Returns:
        `[..., C]`.
    """
    values, gates = ops.split(x, 2, axis=-1)
    return values * ops.sigmoid(gates)


def standardize(codes):
    """Brings each code `[B, E]` to mean 0 and variance 1 over its own elements."""
    mean = ops.mean(codes, axis=-1, keepdims=True)
    variance = ops.var(codes, axis=-1, keepdims=True)
    return (codes - mean) * ops.rsqrt(variance + 1e-6)


def batch_norm(name):
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

    def __init__(self, filters, **kwargs):
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
        x = upsampled_conv(x, self.kernel)
        return glu(self.norm(x, training=training))

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        double = (None if side is None else 2 * side for side in (height, width))
        return (batch, *double, self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable("t2i_tf")
class ResidualBlock(keras.layers.Layer):
    """x + BN(conv(GLU(BN(conv(x))))), keeping size and channels `[B, H, W, C]`."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv_1 = conv(2 * filters, name="conv_1")
        self.norm_1 = batch_norm("norm_1")
        self.conv_2 = conv(filters, name="conv_2")
        self.norm_2 = batch_norm("norm_2")

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
        norm: `"batch"`, `"spectral"` or `None`.
    """

    def __init__(self, filters, strides=2, norm="batch", **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides
        self.norm = norm
        self.conv = conv(
            filters,
            kernel_size=4 if strides == 2 else 3,
            strides=strides,
            spectral_norm=norm == "spectral",
            use_bias=norm == "spectral",
            name="conv",
        )
        self.batch_norm = batch_norm("norm") if norm == "batch" else None

    def build(self, input_shape):
        self.conv.build(input_shape)
        if self.batch_norm is not None:
            self.batch_norm.build((*input_shape[:-1], self.filters))

    def call(self, x, training=False, batches=1):
        """Maps `[B, H, W, any]`; in training each of `batches` parts of B is normalised alone."""
        x = self.conv(x, training=training)
        if self.batch_norm is not None:
            parts = ops.split(x, batches) if training else [x]
            x = ops.concatenate([self.batch_norm(part, training=training) for part in parts])
        return ops.leaky_relu(x, 0.2)

    def compute_output_shape(self, input_shape):
        return (*self.conv.compute_output_shape(input_shape)[:-1], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "strides": self.strides,
            "norm": self.norm,
        }


@keras.saving.register_keras_serializable("t2i_tf")
class ConditioningAugmentation(keras.layers.Layer):
    """Draws the condition c = mu + exp(logvar / 2) * eps from a sentence (StackGAN, eq. 2).

    Args:
        units: C, the condition's length.
        logvar_bias: Start value of logvar's bias; below 0 the text speaks louder than the noise
            from the first step on (the paper's is 0).
    """

    def __init__(self, units, logvar_bias=0.0, **kwargs):
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

    A 1x1 convolution widens the channels, a depthwise 3x3 one works on each of them, and a linear
    1x1 one brings them back onto the input.

    Args:
        filters: Channels C.
        expansion: How many times wider the middle is.
    """

    def __init__(self, filters, expansion=6, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.expansion = expansion
        self.expand = conv(filters * expansion, 1, name="expand")
        self.norm_1 = batch_norm("norm_1")
        self.depthwise = keras.layers.DepthwiseConv2D(
            3, padding="same", use_bias=False, name="depthwise"
        )
        self.norm_2 = batch_norm("norm_2")
        self.project = conv(filters, 1, name="project")
        self.norm_3 = batch_norm("norm_3")

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
