"""Bidirectional recurrent text encoder of DAMSM (AttnGAN, section 3.2)."""

import keras
from keras import ops

from t2i_tf.networks.initializers import UNIFORM

CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


@keras.saving.register_keras_serializable("t2i_tf")
class TextEncoder(keras.Model):
    """Word features and a sentence code from token ids.

    The backward direction runs forwards over the reversed sequence with the reversed mask: the
    padding then comes first and leaves the state at zero. This form is correct with and without
    unrolling and needs neither cuDNN nor packed sequences.

    With a GPU, the recurrence is written out where the number of words is known while a step is
    traced, as in training: the numbers are the same, and no loop on the host paces the GPU. CPUs
    gain nothing by it and would compile longer.

    Args:
        vocabulary_size: Number of token ids, 0 (padding) included.
        units: E, even; each direction has E/2.
        embedding_dim: Length of a word embedding.
        cell: `"lstm"` or `"gru"`.
        dropout: Dropout rate on the embeddings.
        unroll: Write the recurrence out anywhere, for converters that do not support loops; the
            number of words must then be known while tracing.

    Raises:
        ValueError: `cell` is unknown.
    """

    def __init__(
        self,
        vocabulary_size: int,
        units: int = 256,
        embedding_dim: int = 300,
        cell: str = "lstm",
        dropout: float = 0.5,
        unroll: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if units % 2:
            raise ValueError(f"units must be even, got {units}")
        if cell not in CELLS:
            raise ValueError(f"cell must be one of {sorted(CELLS)}, got {cell!r}")
        self.vocabulary_size = vocabulary_size
        self.units = units
        self.embedding_dim = embedding_dim
        self.cell = cell
        self.dropout_rate = dropout
        self.unroll = unroll
        self.embedding = keras.layers.Embedding(
            vocabulary_size,
            embedding_dim,
            embeddings_initializer=UNIFORM,
            name="embedding",
        )
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.forward, self.backward = (
            CELLS[cell](
                units // 2,
                return_sequences=True,
                return_state=True,
                use_cudnn=False,
                unroll=unroll,
                name=name,
            )
            for name in ("forward", "backward")
        )

    def build(self, tokens_shape):
        self.embedding.build(tokens_shape)
        embedded = (*tokens_shape, self.embedding_dim)
        self.forward.build(embedded)
        self.backward.build(embedded)

    def call(self, tokens, training=False):
        """Encodes captions.

        Args:
            tokens: Integer ids `[B, T]`, 0 after the last word; at least one word per row.
            training: Whether dropout is on.

        Returns:
            Word features `[B, T, E]`, zero at padding, and sentence codes `[B, E]`.
        """
        mask = ops.not_equal(tokens, 0)
        x = self.dropout(self.embedding(tokens), training=training)
        on_gpu = tokens.shape[1] is not None and bool(keras.distribution.list_devices("gpu"))
        self.forward.unroll = self.backward.unroll = self.unroll or on_gpu
        forward, last_forward, *_ = self.forward(x, mask=mask)
        backward, last_backward, *_ = self.backward(ops.flip(x, axis=1), mask=ops.flip(mask, 1))
        words = ops.concatenate([forward, ops.flip(backward, axis=1)], axis=-1)
        words = words * ops.cast(mask, words.dtype)[:, :, None]
        return words, ops.concatenate([last_forward, last_backward], axis=-1)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "units": self.units,
            "embedding_dim": self.embedding_dim,
            "cell": self.cell,
            "dropout": self.dropout_rate,
            "unroll": self.unroll,
        }
