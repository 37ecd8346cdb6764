"""Text encoder and generator in the form that the TFLite converter makes small, fast files of.

The arithmetic is that of `TextToImage.from_noise`; what differs is what a converter cannot know:

- Up-blocks upsample and convolve with the learnt 3x3 kernel: the 4x4 kernel of the transposed
  convolution that TensorFlow is faster with would be 16/9 times larger in the file.
- For int8, masked scores get a small number: beside -1e9 all real scores would round to zero.
- A sentence is standardised without the epsilon, which int8 cannot hold beside the variance, and
  the picture leaves as tanh's own 8 bits.
"""

import tensorflow as tf

from t2i_tf import model_directory
from t2i_tf.layers import glu
from t2i_tf.text_to_image import to_uint8

MASKED = -1e9
MASKED_INT8 = -20.0


class TokensToImage:
    """One picture from one caption's token ids and noise.

    Args:
        model: A model whose text encoder is unrolled. Its generator is changed in place.
        int8: Whether activations will be int8: the picture is then float.
    """

    def __init__(self, model: model_directory.ModelDirectory, int8: bool = False):
        self.text_encoder, self.generator, self.int8 = model.text_encoder, model.generator, int8
        self.normalize_sentence = self.generator.normalize_sentence
        self.generator.normalize_sentence = False
        up_blocks = self.generator.initial.up_blocks
        up_blocks[:] = map(_UpBlock, up_blocks)
        for stage in self.generator.refine:
            stage.up = _UpBlock(stage.up)
            for name in ("attention", "textual"):
                if hasattr(stage, name):
                    masked = MASKED_INT8 if int8 else MASKED
                    setattr(stage, name, _TextualAttention(getattr(stage, name), masked))
        self.input_signature = [
            tf.TensorSpec([1, model.config.data.max_words], tf.int32, "tokens"),
            tf.TensorSpec([1, self.generator.noise_dim], tf.float32, "noise"),
        ]

    def generate_from_noise(self, tokens, noise):
        """Draws with the condition at its mean.

        Args:
            tokens: int32 `[1, T]`, 0 after the last word.
            noise: float32 `[1, Z]`.

        Returns:
            `{"image": [1, H, W, 3]}`, uint8, or for int8 float32 in [-1, 1].
        """
        words, sentence = self.text_encoder(tokens)
        if self.normalize_sentence:
            sentence -= tf.reduce_mean(sentence, axis=-1, keepdims=True)
            variance = tf.reduce_mean(tf.square(sentence), axis=-1, keepdims=True)
            sentence *= tf.math.rsqrt(variance)
        eps = tf.zeros([1, self.generator.condition_dim])
        image = self.generator(sentence, words, tokens != 0, noise, eps)["images"][-1]
        return {"image": image if self.int8 else to_uint8(image)}


class _UpBlock:
    """In an `UpBlock`'s place."""

    def __init__(self, block):
        self.kernel, self.norm = block.kernel, block.norm

    def __call__(self, x, training=False):
        _, height, width, _ = x.shape
        x = tf.image.resize(x, (2 * height, 2 * width), method="nearest")
        return glu(self.norm(tf.nn.conv2d(x, self.kernel, strides=1, padding="SAME")))


class _TextualAttention:
    """In a `TextualAttention`'s place."""

    def __init__(self, attention, masked):
        self.project, self.masked = attention.project, masked

    def __call__(self, features, words, mask):
        projected = self.project(words)
        scores = tf.einsum("bhwc,btc->bhwt", features, projected)
        scores = tf.where(mask[:, None, None, :], scores, self.masked)
        attention = tf.nn.softmax(scores)
        return tf.einsum("bhwt,btc->bhwc", attention, projected), attention
