"""DAMSM: the text-image matching model that guides and judges the generator."""

import keras
import tensorflow as tf

from t2i_tf.losses import damsm_losses


class DAMSM(keras.Model):
    """Deep attentional multimodal similarity model (AttnGAN, section 3.2).

    Batches may carry `wrong_tokens`, captions made wrong by exchanging some of their words: they
    join the mismatches of each image (hard negatives as in NegCLIP, Yuksekgonul et al., 2023), so
    that the order of the words has to be learnt and not only which words there are.

    Args:
        text_encoder: A `TextEncoder`.
        image_encoder: An `ImageEncoder` of the same E.
        gammas: (gamma1, gamma2, gamma3).
        clip_norm: Largest gradient norm of the text encoder.
    """

    def __init__(
        self, text_encoder, image_encoder, gammas=(4.0, 5.0, 10.0), clip_norm=0.25, **kwargs
    ):
        super().__init__(**kwargs)
        self.text_encoder = text_encoder
        self.image_encoder = image_encoder
        self.gammas = tuple(gammas)
        self.clip_norm = clip_norm
        self.averages = {}

    def compile(self, optimizer, jit_compile=False):
        """Creates the optimizer's variables. The encoders must be built."""
        super().compile(optimizer=None, jit_compile=jit_compile)
        self.optimizer = optimizer
        optimizer.build(self.trainable_variables)
        self.averages = running_means("loss", *LOSS_NAMES)

    @property
    def metrics(self):
        return list(self.averages.values())

    def call(self, tokens, images, training=False):
        """Encodes captions and images: ((words, sentence, mask), (regions, codes))."""
        words, sentences = self.text_encoder(tokens, training=training)
        return (words, sentences, tokens != 0), self.image_encoder(images, training=training)

    def losses_of(self, batch, training=False):
        """The four matching losses of a batch, by name."""
        tokens = batch["tokens"]
        false_negatives = None
        if "wrong_tokens" in batch:
            false_negatives = tf.reduce_all(tokens == batch["wrong_tokens"], axis=1)
            tokens = tf.concat([tokens, batch["wrong_tokens"]], axis=0)
        texts, image_codes = self(tokens, batch["images"][-1], training=training)
        return damsm_losses(texts, image_codes, batch["class_id"], self.gammas, false_negatives)

    def train_step(self, batch):
        text_variables = self.text_encoder.trainable_variables
        with tf.GradientTape() as tape:
            losses = self.losses_of(batch, training=True)
            loss = tf.add_n(list(losses.values()))
        variables = text_variables + self.image_encoder.trainable_variables
        gradients = tape.gradient(loss, variables)
        clipped, _ = tf.clip_by_global_norm(gradients[: len(text_variables)], self.clip_norm)
        self.optimizer.apply(clipped + gradients[len(text_variables) :], variables)
        return update_averages(self.averages, {"loss": loss, **losses})

    def test_step(self, batch):
        losses = self.losses_of(batch)
        return update_averages(self.averages, {"loss": tf.add_n(list(losses.values())), **losses})


LOSS_NAMES = (
    "word_image_to_text",
    "word_text_to_image",
    "sentence_image_to_text",
    "sentence_text_to_image",
)


def running_means(*names):
    """A mean over the steps of an interval for each name."""
    return {name: keras.metrics.Mean(name=name) for name in names}


def update_averages(averages, values):
    """Adds one step's values to the running means and returns the means by name."""
    for name, value in values.items():
        averages[name].update_state(value)
    return {name: averages[name].result() for name in values}
