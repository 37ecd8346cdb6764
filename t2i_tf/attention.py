"""Attention between words and image regions."""

import keras
from keras import ops

MASKED = -1e9


def masked_softmax(scores, mask, axis=-1):
    """Softmax over `axis` in which places where `mask` is False get no weight.

    Args:
        scores: Any shape.
        mask: Boolean, broadcastable to `scores`; at least one True along `axis`.
        axis: The axis that sums to one.
    """
    return ops.softmax(ops.where(mask, scores, ops.cast(MASKED, scores.dtype)), axis=axis)


@keras.saving.register_keras_serializable("t2i_tf")
class TextualAttention(keras.layers.Layer):
    """Each region gathers the words that matter to it (AttnGAN, section 3.1).

    Words are projected to the regions' channels without bias; the scores are plain dot products.

    Args:
        filters: Channels of the regions and of the context.
    """

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.project = keras.layers.Dense(
            filters,
            use_bias=False,
            kernel_initializer=keras.initializers.Orthogonal(),
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


def word_region_attention(words, regions, mask, gamma1):
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
