"""The form of a generator that only draws: the same pictures for less work.

A trained BatchNorm is a scale and a shift of each channel. The scale goes into the kernel before
it; the shift becomes a bias, which TensorFlow adds within the convolution. The halves of a GLU come
from a convolution each: cutting them out of one that is twice as wide copies both. Up-blocks keep
the kernel that they compute with, where training makes it anew from the learnt one at each step.
"""

import numpy as np
import tensorflow as tf

from t2i_tf.convolutions import MATRIX_PRODUCT_PAYS, same_conv, upsampled_kernel
from t2i_tf.layers import InvertedResidualBlock
from t2i_tf.stages import JointStage


def fold(generator):
    """Brings a built generator, in place, into the form that only draws.

    Its pictures stay the same up to rounding (1e-5). It can no longer be trained or saved.

    Args:
        generator: A `Generator` in float32.
    """
    first = generator.initial
    first.norm = _Bias(first.dense, first.norm)
    for i, block in enumerate(first.up_blocks):
        first.up_blocks[i] = _up_block(block, side=4 * 2**i)
    for i, stage in enumerate(generator.refine):
        if isinstance(stage, JointStage):
            stage.norm = _Bias(stage.joint, stage.norm)
        stage.blocks[:] = map(_block, stage.blocks)
        stage.up = _up_block(stage.up, side=generator.base_size * 2**i)


class _Bias:
    """In a BatchNorm's place; what it multiplies by goes into the kernel of the layer before it."""

    def __init__(self, layer, norm):
        kernel, bias = _folded(layer.kernel, norm)
        layer.kernel.assign(kernel)
        self.bias = _constant(bias)

    def __call__(self, x, training=False):
        return tf.nn.bias_add(x, self.bias)


class _Gated:
    """GLU(BatchNorm(convolution)) by two convolutions, one for the values and one for the gates.

    Args:
        convolve: From `(x, kernel)` to the convolution.
        kernel: Its kernel `[3, 3, C, 2D]`.
        norm: The `BatchNorm` after it.
        prepare: From half of the kernel, `[3, 3, C, D]`, to what `convolve` takes.
    """

    def __init__(self, convolve, kernel, norm, prepare=np.asarray):
        kernel, bias = _folded(kernel, norm)
        self.convolve = convolve
        self.kernels = [_constant(prepare(half)) for half in np.split(kernel, 2, axis=-1)]
        self.biases = [_constant(half) for half in np.split(bias, 2)]

    def __call__(self, x, training=False):
        values, gates = (
            tf.nn.bias_add(self.convolve(x, kernel), bias)
            for kernel, bias in zip(self.kernels, self.biases, strict=True)
        )
        return values * tf.sigmoid(gates)


class _Residual:
    """In a `ResidualBlock`'s place."""

    def __init__(self, block):
        self.gated = _Gated(same_conv, block.conv_1.kernel, block.norm_1)
        self.conv, self.bias = block.conv_2, _Bias(block.conv_2, block.norm_2)

    def __call__(self, x, training=False):
        return x + self.bias(self.conv(self.gated(x)))


def _block(block):
    if not isinstance(block, InvertedResidualBlock):
        return _Residual(block)
    block.norm_1 = _Bias(block.expand, block.norm_1)
    block.norm_2 = _Bias(block.depthwise, block.norm_2)
    block.norm_3 = _Bias(block.project, block.norm_3)
    return block


def _up_block(block, side):
    """In the place of an `UpBlock` on images of `side` pixels."""
    small = block.filters >= MATRIX_PRODUCT_PAYS * side**2
    convolve, prepare = (_spread, _taps_beside) if small else (_transposed, upsampled_kernel)
    return _Gated(convolve, block.kernel, block.norm, prepare)


def _transposed(x, kernel):
    _, height, width, _ = x.shape
    shape = [tf.shape(x)[0], 2 * height, 2 * width, kernel.shape[2]]
    return tf.nn.conv2d_transpose(x, kernel, shape, strides=2)


def _taps_beside(kernel):
    """`[3, 3, C, D]` as `[C, 9D]`."""
    return np.reshape(np.transpose(kernel, (2, 0, 1, 3)), (kernel.shape[2], -1))


def _spread(x, kernel):
    """`upsampled_conv` by products of each pixel with each tap, summed where they belong.

    With 4 times fewer multiplications and a kernel that lies as it is needed. On large images
    summing takes longer than what is saved.

    Args:
        x: `[B, H, W, C]`.
        kernel: `_taps_beside` of the kernel.

    Returns:
        `[B, 2H, 2W, D]`.
    """
    _, height, width, channels = x.shape
    products = tf.matmul(tf.reshape(x, (-1, channels)), kernel)
    products = tf.reshape(products, (-1, height * width * 9, kernel.shape[1] // 9))
    rows, columns = (_reach(side) for side in (height, width))
    places = np.einsum("yik,xjl->yxijkl", rows, columns)
    places = places.reshape(4 * height * width, -1).astype("float32")
    sums = tf.matmul(places, products)
    return tf.reshape(sums, (-1, 2 * height, 2 * width, sums.shape[-1]))


def _reach(side):
    """`[2 * side, side, 3]`: True where an output's tap meets an input that is repeated twice."""
    near = np.arange(2 * side)[:, None] + np.arange(-1, 2)
    return near[:, None] // 2 == np.arange(side)[:, None]


def _folded(kernel, norm):
    """The kernel and the bias that do what a kernel and the norm after it do."""
    scale = norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    bias = norm.beta.numpy() - norm.moving_mean.numpy() * scale
    depthwise = kernel.shape[-1] != len(scale)
    return kernel.numpy() * (scale[:, None] if depthwise else scale), bias


def _constant(values):
    return tf.Variable(values, trainable=False)
