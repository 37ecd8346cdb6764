"""The convolutions of the networks, each computed in its fastest form."""

import functools

import keras
import numpy as np
from keras import KerasTensor as Tensor
from keras import ops

# On CPUs a matrix product is faster if the kernel is this many times larger than one image's
# patches.
MATRIX_PRODUCT_PAYS = 16


@functools.cache
def on_cpu() -> bool:
    """Whether this process computes on CPUs alone."""
    return all(device.startswith("cpu") for device in keras.distribution.list_devices())


def product_pays(filters: int, height: int | None, width: int | None) -> bool:
    """Whether a CPU computes a convolution faster as a matrix product, as on the smallest maps.

    A CPU's convolution routine reorders the kernel at every call; on the smallest maps, this takes
    longer than the multiplications.

    Args:
        filters: Output channels, times the square of the strides.
        height: Height of the input map, None if it is unknown.
        width: Width of the input map, None if it is unknown.
    """
    known = height is not None and width is not None
    return known and filters >= MATRIX_PRODUCT_PAYS * height * width


def same_conv(x: Tensor, kernel: Tensor, strides: int = 1) -> Tensor:
    """A 'same' convolution; on CPUs computed as a matrix product if `product_pays`.

    GPUs were not measured, so they always use the convolution.

    Args:
        x: `[B, H, W, C]`.
        kernel: `[K, K, C, D]`.
        strides: Step in pixels.

    Returns:
        `[B, ceil(H / strides), ceil(W / strides), D]`.
    """
    _, height, width, channels = x.shape
    size, _, _, filters = kernel.shape
    if not on_cpu() or not product_pays(filters * strides**2, height, width):
        return ops.conv(x, kernel, strides=strides, padding="same")
    rows, columns = (_taps(side, size, strides) for side in (height, width))
    taps = np.einsum("oiy,pjx->opijyx", rows, columns).reshape(-1, height * width)
    patches = ops.matmul(ops.cast(taps, x.dtype), ops.reshape(x, (-1, height * width, channels)))
    # A batch of one product: TensorFlow computes its gradient by x in half of a plain one's time.
    patches = ops.reshape(patches, (1, -1, size * size * channels))
    product = ops.matmul(patches, ops.reshape(kernel, (1, -1, filters)))
    return ops.reshape(product, (-1, len(rows), len(columns), filters))


def _taps(side, size, strides):
    """`[outputs, size, side]`: True where an output's tap meets an input, never in the padding."""
    outputs = -(-side // strides)
    padding = max((outputs - 1) * strides + size - side, 0) // 2
    places = strides * np.arange(outputs)[:, None] + np.arange(size) - padding
    return places[:, :, None] == np.arange(side)


def upsampled_conv(x: Tensor, kernel: Tensor) -> Tensor:
    """Nearest upsampling to twice the size, then a 'same' 3x3 convolution.

    The result equals one stride-2 transposed convolution, whose 4x4 kernel is the flipped 3x3
    kernel convolved with 2x2 ones. This function computes the transposed convolution, because it
    takes 2.25 times fewer multiplications.

    Args:
        x: `[B, H, W, C]`.
        kernel: `[3, 3, C, D]`.

    Returns:
        `[B, 2H, 2W, D]`.
    """
    kernel = ops.cast(upsampled_kernel(kernel), x.dtype)
    return ops.conv_transpose(x, kernel, strides=2, padding="same")


def upsampled_kernel(kernel: Tensor) -> Tensor:
    """The 4x4 kernel `[4, 4, D, C]` that `upsampled_conv` uses, from the 3x3 one `[3, 3, C, D]`."""
    flipped = ops.transpose(ops.flip(kernel, axis=(0, 1)), (0, 1, 3, 2))
    pad = [[0, 0], [0, 0]]
    rows = ops.pad(flipped, [[0, 1], [0, 0], *pad]) + ops.pad(flipped, [[1, 0], [0, 0], *pad])
    return ops.pad(rows, [[0, 0], [0, 1], *pad]) + ops.pad(rows, [[0, 0], [1, 0], *pad])


def conv(
    filters: int,
    kernel_size: int = 3,
    strides: int = 1,
    use_bias: bool = False,
    spectral_norm: bool = False,
    name: str | None = None,
    dtype: str | None = None,
) -> keras.layers.Layer:
    """A 'same' convolution with an orthogonal kernel, spectrally normalised on request."""
    if spectral_norm:
        return SpectralConv2D(filters, kernel_size, strides, use_bias, name=name, dtype=dtype)
    return Conv2D(filters, kernel_size, strides=strides, use_bias=use_bias, name=name, dtype=dtype)


@keras.saving.register_keras_serializable("t2i_tf")
class Conv2D(keras.layers.Conv2D):
    """A 'same' convolution by `same_conv`: square kernel, equal strides, no dilation, no groups.

    Keras names the layers of a list in weights files after their class. This class is therefore
    called like Keras' own, because earlier weights files could not be read otherwise.

    Args:
        filters: Output channels.
        kernel_size: Side of the kernel.
        strides: Step in pixels.
        use_bias: Whether to add a bias.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        strides: int = 1,
        use_bias: bool = False,
        name: str | None = None,
        dtype: str | None = None,
    ):
        super().__init__(
            filters,
            kernel_size,
            strides=strides,
            padding="same",
            use_bias=use_bias,
            kernel_initializer="orthogonal",
            name=name,
            dtype=dtype,
        )

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        return same_conv(inputs, kernel, self.strides[0])

    def get_config(self):
        full = super().get_config()
        config = {name: full[name] for name in ("filters", "use_bias", "name", "dtype")}
        return {**config, "kernel_size": self.kernel_size[0], "strides": self.strides[0]}


@keras.saving.register_keras_serializable("t2i_tf")
class SpectralConv2D(keras.layers.Layer):
    """'Same' convolution, its kernel divided by its largest singular value (Miyato et al., 2018).

    One step of power iteration per training call estimates the singular value. Gradients pass
    through the division, and the stored kernel stays unnormalised, as in the paper.

    Args:
        filters: Output channels.
        kernel_size: Side of the kernel.
        strides: Stride of the convolution.
        use_bias: Whether to add a bias.
    """

    def __init__(
        self, filters: int, kernel_size: int = 3, strides: int = 1, use_bias: bool = True, **kwargs
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.use_bias = use_bias

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, self.kernel_size, input_shape[-1], self.filters),
            initializer="orthogonal",
            autocast=False,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")
        self.u = self.add_weight(
            name="u",
            shape=(1, self.filters),
            initializer=keras.initializers.RandomNormal(),
            trainable=False,
            autocast=False,
        )

    def call(self, x, training=False):
        kernel = ops.reshape(self.kernel, (-1, self.filters))
        v = ops.stop_gradient(ops.normalize(ops.matmul(self.u, ops.transpose(kernel))))
        u = ops.stop_gradient(ops.normalize(ops.matmul(v, kernel)))
        if training:
            self.u.assign(u)
        sigma = ops.sum(ops.matmul(v, kernel) * u)
        kernel = ops.cast(self.kernel / sigma, x.dtype)
        x = self.convolution_op(x, kernel)
        return x if self.bias is None else x + self.bias

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        return same_conv(inputs, kernel, self.strides)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        sides = (None if side is None else -(-side // self.strides) for side in (height, width))
        return (batch, *sides, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "use_bias": self.use_bias,
        }
