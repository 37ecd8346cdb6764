"""Attention between words and image regions, and of an image to itself."""

import keras
from keras import KerasTensor as Tensor
from keras import ops

MASKED = -1e9


def masked_softmax(scores: Tensor, mask: Tensor, axis: int = -1) -> Tensor:
    """Softmax over `axis` in which places where `mask` is False get no weight.

    Args:
        scores: Any shape.
        mask: Boolean, broadcastable to `scores`; at least one True along `axis`.
        axis: The axis that sums to one.

    Returns:
        Weights of the shape of `scores`.
    """
    wide = ops.cast(scores, keras.config.floatx())  # Half precision cannot hold MASKED.
    return ops.cast(ops.softmax(ops.where(mask, wide, MASKED), axis=axis), scores.dtype)


@keras.saving.register_keras_serializable("t2i_tf")
class TextualAttention(keras.layers.Layer):
    """Each region gathers the words that matter to it (AttnGAN, section 3.1).

    Words are projected to the regions' channels without bias; the scores are plain dot products.

    Args:
        filters: Channels of the regions and of the context.
    """

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.project = keras.layers.Dense(
            filters,
            use_bias=False,
            kernel_initializer="orthogonal",
            name="project",
        )

    def build(self, features_shape, words_shape):
        self.project.build(words_shape)

    def call(self, features, words, mask):
        """Attends from regions to words.

        Args:
            features: Regions, `[B, h, w, C]`.
            words: Word features, `[B, T, E]`.
            mask: Boolean `[B, T]`, True at real words.

        Returns:
            The context `[B, h, w, C]` and the attention maps `[B, h, w, T]`, which sum to one
            over the real words of each sample.
        """
        projected = self.project(words)
        scores = ops.einsum("bhwc,btc->bhwt", features, projected)
        attention = masked_softmax(scores, mask[:, None, None, :])
        return ops.einsum("bhwt,btc->bhwc", attention, projected), attention

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable("t2i_tf")
class ChannelAttention(keras.layers.Layer):
    """Gates each channel by its average and its maximum (CBAM, Woo et al., 2018, eq. 2).

    Args:
        filters: Channels C.
        reduction: How many times narrower the shared perceptron is.

    Input and output `[B, h, w, C]`.
    """

    def __init__(self, filters: int, reduction: int = 8, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.reduction = reduction
        self.hidden = keras.layers.Dense(
            max(filters // reduction, 1), activation="relu", name="hidden"
        )
        self.gate = keras.layers.Dense(filters, name="gate")

    def build(self, input_shape):
        self.hidden.build((None, self.filters))
        self.gate.build((None, self.hidden.units))

    def call(self, x):
        average, highest = ops.mean(x, axis=(1, 2)), ops.max(x, axis=(1, 2))
        gate = ops.sigmoid(self.gate(self.hidden(average)) + self.gate(self.hidden(highest)))
        return x * gate[:, None, None]

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "reduction": self.reduction}


@keras.saving.register_keras_serializable("t2i_tf")
class SpatialAttention(keras.layers.Layer):
    """Self-attention between places, added with a learned scale that starts at 0.

    As in SAGAN (Zhang et al., 2019, eq. 1-3), on a map averaged down to at most `size` places a
    side, since the cost grows with the fourth power of the side.

    Args:
        filters: Channels C; queries and keys have C / 8.
        size: Largest side of the attended map.

    Input and output `[B, h, w, C]`.
    """

    def __init__(self, filters: int, size: int = 32, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.size = size
        narrow = max(filters // 8, 1)
        self.query, self.key, self.value = (
            keras.layers.Dense(
                units,
                use_bias=False,
                kernel_initializer="orthogonal",
                name=name,
            )
            for name, units in (("query", narrow), ("key", narrow), ("value", filters))
        )

    def build(self, input_shape):
        for dense in (self.query, self.key, self.value):
            dense.build(input_shape)
        self.scale = self.add_weight(name="scale", shape=(), initializer="zeros")

    def call(self, x):
        _, height, width, _ = x.shape
        factor = max(height // self.size, 1)
        small = ops.average_pool(x, factor) if factor > 1 else x
        places = ops.reshape(small, (-1, small.shape[1] * small.shape[2], self.filters))
        scores = ops.einsum("bic,bjc->bij", self.query(places), self.key(places))
        attended = ops.einsum("bij,bjc->bic", ops.softmax(scores), self.value(places))
        attended = ops.reshape(attended, (-1, *small.shape[1:]))
        if factor > 1:
            # XLA has no bilinear gradient in half precision.
            attended = ops.cast(attended, keras.config.floatx())
            attended = ops.image.resize(attended, (height, width), interpolation="bilinear")
        return x + self.scale * ops.cast(attended, x.dtype)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "size": self.size}


@keras.saving.register_keras_serializable("t2i_tf")
class VisualAttention(keras.layers.Layer):
    """Channel attention, then spatial attention; input and output `[B, h, w, C]`.

    Args:
        filters: Channels C.
    """

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.channel = ChannelAttention(filters, name="channel")
        self.spatial = SpatialAttention(filters, name="spatial")

    def build(self, input_shape):
        self.channel.build(input_shape)
        self.spatial.build(input_shape)

    def call(self, x):
        return self.spatial(self.channel(x))

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


def word_region_attention(
    words: Tensor, regions: Tensor, mask: Tensor, gamma1: float
) -> tuple[Tensor, Tensor]:
    """DAMSM's attention of every caption's words over every image's regions (AttnGAN, eq. 7-9).

    Args:
        words: `[C, T, E]` for C captions.
        regions: `[B, N, E]` for B images.
        mask: Boolean `[C, T]`, True at real words.
        gamma1: Sharpness of the attention over regions.

    Returns:
        The region context of each word, `[B, C, T, E]`, and the attention `[B, C, T, N]`, which
        sums to one over the regions.
    """
    scores = ops.einsum("cte,bne->bctn", words, regions)
    over_words = masked_softmax(scores, mask[None, :, :, None], axis=2)
    attention = ops.softmax(gamma1 * over_words, axis=-1)
    return ops.einsum("bctn,bne->bcte", attention, regions), attention
