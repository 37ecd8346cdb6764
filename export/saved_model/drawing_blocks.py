"""The blocks of a generator that only draws: the same pictures for less work.

A trained BatchNorm is a scale and a shift of each channel. The scale goes into the kernel before
it; the shift becomes a bias, which TensorFlow adds within the convolution. The halves of a GLU come
from a convolution each: cutting them out of one that is twice as wide copies both. Up-blocks keep
the kernel that they compute with, where training makes it anew from the learnt one at each step.

Blocks hold their weights in, and compute by, the dtype policy that they are made under.
"""

import abc

import keras
import numpy as np
import tensorflow as tf

from t2i_tf.networks.convolutions import conv, product_pays, same_conv, upsampled_kernel
from t2i_tf.networks.layers import Blocks


class DrawingBlocks(Blocks):
    """Makes the blocks of a generator that only draws; `folding.folded` gives them weights."""

    def conv(
        self, filters: int, kernel_size: int = 3, dtype: str | None = None, **kwargs
    ) -> keras.layers.Layer:
        """A convolution; one that asks for a `dtype`, an image's, only gives its result in it."""
        layer = super().conv(filters, kernel_size, **kwargs)
        return layer if dtype is None else Wide(layer, dtype, name=kwargs["name"])

    def norm(self, name: str) -> "Bias":
        """A bias: the norm's scale is in the kernel before it."""
        return Bias(name=name)

    def up(self, filters: int, side: int, name: str) -> "Gated":
        """An up-block in the form that is faster at this size."""
        form = SpreadUpBlock if product_pays(filters, side, side) else TransposedUpBlock
        return form(filters, name=name)

    def residual(self, filters: int, name: str) -> "DrawingResidualBlock":
        """A residual block of two convolutions for the GLU and one after it."""
        return DrawingResidualBlock(filters, name=name)


class Wide(keras.layers.Layer):
    """A layer whose result is cast, so that what follows is computed in another type.

    Args:
        layer: The layer; it computes by its own policy.
        dtype: The result's type.
    """

    def __init__(self, layer: keras.layers.Layer, dtype: str, **kwargs):
        super().__init__(dtype=dtype, autocast=False, **kwargs)
        self.layer = layer

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.layer.build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.cast(self.layer(x), self.compute_dtype)


class Bias(keras.layers.Layer):
    """Adds a bias to each channel, in a BatchNorm's place."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.bias = self.add_weight(
            name="bias", shape=input_shape[-1:], initializer="zeros", trainable=False
        )

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        return tf.nn.bias_add(x, self.bias)


class Gated(keras.layers.Layer, abc.ABC):
    """GLU(BatchNorm(convolution)) by two convolutions, one for the values and one for the gates.

    As sigmoid(g) = (1 + tanh(g / 2)) / 2, the weights hold half the values and half the gates:
    TensorFlow's tanh is faster than its sigmoid on CPUs, in bfloat16 more than twice.

    Args:
        filters: Output channels D.
    """

    growth = 1  # How many times larger the output's sides are.

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = self.kernel_shape(input_shape[-1])
        for half in ("values", "gates"):
            kernel = self.add_weight(
                name=f"{half}_kernel", shape=shape, initializer="zeros", trainable=False
            )
            bias = self.add_weight(
                name=f"{half}_bias", shape=(self.filters,), initializer="zeros", trainable=False
            )
            setattr(self, half, (kernel, bias))

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        values, gates = (
            tf.nn.bias_add(self.convolve(x, tf.convert_to_tensor(kernel)), bias)
            for kernel, bias in (self.values, self.gates)
        )
        return values * (1.0 + tf.tanh(gates))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, *sides, _ = input_shape
        return (batch, *(None if s is None else self.growth * s for s in sides), self.filters)

    def take(self, kernel: np.ndarray, bias: np.ndarray) -> None:
        """Takes the weights that compute values and gates in one.

        Args:
            kernel: `[3, 3, C, 2D]`, the norm's scale in it.
            bias: `[2D]`.
        """
        kernels, biases = np.split(kernel / 2, 2, axis=-1), np.split(bias / 2, 2)
        for half, *ready in zip((self.values, self.gates), kernels, biases, strict=True):
            half[0].assign(self.prepared(ready[0]))
            half[1].assign(ready[1])

    @abc.abstractmethod
    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        """The shape of a prepared kernel for C input channels."""

    @abc.abstractmethod
    def prepared(self, kernel: np.ndarray) -> np.ndarray:
        """Brings a kernel `[3, 3, C, D]` into the form that `convolve` takes."""

    @abc.abstractmethod
    def convolve(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Convolves `[B, H, W, C]` with a prepared kernel."""


class GatedConv(Gated):
    """A 'same' 3x3 convolution, BatchNorm, GLU."""

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (3, 3, channels, self.filters)

    def prepared(self, kernel: np.ndarray) -> np.ndarray:
        return kernel

    def convolve(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return same_conv(x, kernel)


class TransposedUpBlock(Gated):
    """An up-block by the transposed convolution of `convolutions.upsampled_conv`."""

    growth = 2

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (4, 4, self.filters, channels)

    def prepared(self, kernel: np.ndarray) -> np.ndarray:
        return np.asarray(upsampled_kernel(kernel))

    def convolve(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        _, height, width, _ = x.shape
        shape = [tf.shape(x)[0], 2 * height, 2 * width, self.filters]
        return tf.nn.conv2d_transpose(x, kernel, shape, strides=2)


class SpreadUpBlock(Gated):
    """An up-block by products of each pixel with each tap, summed where they belong.

    That takes 4 times fewer multiplications, and the kernel lies as it is needed. On large images
    the sums take longer than the products save.
    """

    growth = 2

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (channels, 9 * self.filters)

    def prepared(self, kernel: np.ndarray) -> np.ndarray:
        """The taps beside each other."""
        return np.reshape(np.transpose(kernel, (2, 0, 1, 3)), (kernel.shape[2], -1))

    def convolve(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        _, height, width, channels = x.shape
        products = tf.matmul(tf.reshape(x, (-1, channels)), kernel)
        products = tf.reshape(products, (-1, height * width * 9, self.filters))
        rows, columns = (_reach(side) for side in (height, width))
        places = np.einsum("yik,xjl->yxijkl", rows, columns)
        places = tf.constant(places.reshape(4 * height * width, -1), x.dtype)
        sums = tf.matmul(places, products)
        return tf.reshape(sums, (-1, 2 * height, 2 * width, self.filters))


def _reach(side):
    """`[2 * side, side, 3]`: True where an output's tap meets an input that is repeated twice."""
    near = np.arange(2 * side)[:, None] + np.arange(-1, 2)
    return near[:, None] // 2 == np.arange(side)[:, None]


class DrawingResidualBlock(keras.layers.Layer):
    """x + BN(conv(GLU(BN(conv(x))))), keeping size and channels `[B, H, W, C]`.

    Args:
        filters: Channels C.
    """

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.gated = GatedConv(filters, name="gated")
        self.conv = conv(filters, name="conv")
        self.norm = Bias(name="norm")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for layer in (self.gated, self.conv, self.norm):
            layer.build(input_shape)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        return x + self.norm(self.conv(self.gated(x)))
