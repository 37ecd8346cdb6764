"""The attention of the DualAttn-GAN that a student project published beside AttnGAN's code.

It goes by the name of Cai et al.'s DualAttn-GAN (IEEE Access, 2019) and computes something else:
the places of a map are gated rather than its channels, from a code that a strided convolution and a
perceptron make, and the spatial attention is an element-wise product. No text describes it; the
layers are what `dualAttnModel.py` computes, number for number (docs/parity.md).
"""

import keras
from keras import KerasTensor as Tensor
from keras import ops


@keras.saving.register_keras_serializable("t2i_tf")
class CompressedChannelAttention(keras.layers.Layer):
    """Gates every fourth pixel of a map by a code of the whole map, the others by constants.

    Averages and maxima of one 3x3 window in every 8x8 pixels are compressed to `filters // 8`
    channels; a shared perceptron maps each of the two to a map of half the side, and a 1x1
    transposed convolution of stride 2 spreads their sum over the pixels and channels. In odd rows
    and columns it meets no input, so that the gate there is the bias of each channel.

    Args:
        filters: Channels C.
        side: Pixels a side s of the map, a multiple of 8; the perceptron depends on it.

    Input and output `[B, s, s, C]`.

    Raises:
        ValueError: The side is no multiple of 8.
    """

    def __init__(self, filters: int, side: int, **kwargs):
        super().__init__(**kwargs)
        if side % 8:
            raise ValueError(f"side must be a multiple of 8, got {side}")
        self.filters = filters
        self.side = side
        self.narrow = max(filters // 8, 1)
        codes = self.narrow * (side // 8) ** 2
        self.compress = _dense(self.narrow, "compress")
        self.hidden = _dense(2 * codes, "hidden", activation="relu")
        self.widen = _dense(16 * codes, "widen")
        self.spread = keras.layers.Conv2DTranspose(
            filters, 1, strides=2, padding="same", kernel_initializer="orthogonal", name="spread"
        )

    def build(self, input_shape):
        self.compress.build((None, self.filters))
        self.hidden.build((None, self.narrow * (self.side // 8) ** 2))
        self.widen.build((None, self.hidden.units))
        self.spread.build((None, self.side // 2, self.side // 2, self.narrow))

    def call(self, x):
        pooled = (pool(x, 3, strides=8) for pool in (ops.average_pool, ops.max_pool))
        average, highest = (self.widen(self.hidden(self.code(p))) for p in pooled)
        half = self.side // 2
        gate = self.spread(ops.reshape(average + highest, (-1, half, half, self.narrow)))
        return x * ops.sigmoid(gate)

    def code(self, pooled: Tensor) -> Tensor:
        """Maps `[B, s / 8, s / 8, C]` to the perceptron's input `[B, any]`."""
        return ops.reshape(self.compress(pooled), (-1, self.narrow * (self.side // 8) ** 2))

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "side": self.side}


@keras.saving.register_keras_serializable("t2i_tf")
class CompressedSpatialAttention(keras.layers.Layer):
    """h weighted by softmax(f^T * g) over the channels, where `*` is element-wise.

    f, g and h are 1x1 convolutions of the map pooled to about a quarter of its sides, and f^T is f
    with rows and columns exchanged. Each place thus meets its mirror image about the diagonal, and
    nothing else; the result has the input's size again.

    Args:
        filters: Channels C.

    Input and output `[B, s, s, C]`, s at least 7.
    """

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.f, self.g, self.h = (_dense(filters, name, use_bias=False) for name in "fgh")

    def build(self, input_shape):
        for dense in (self.f, self.g, self.h):
            dense.build(input_shape)

    def call(self, x):
        _, height, width, _ = x.shape
        small = ops.max_pool(ops.average_pool(x, 3, strides=2), 3, strides=2)
        scores = ops.transpose(self.f(small), (0, 2, 1, 3)) * self.g(small)
        attended = ops.softmax(scores, axis=-1) * self.h(small)
        wide = ops.cast(attended, keras.config.floatx())  # XLA's gradient is not in half precision.
        resized = ops.image.resize(wide, (height, width), interpolation="bilinear")
        return ops.cast(resized, attended.dtype)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


def _dense(units, name, **options):
    return keras.layers.Dense(units, kernel_initializer="orthogonal", name=name, **options)
