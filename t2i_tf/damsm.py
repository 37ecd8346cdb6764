"""DAMSM: the text-image matching model that guides and judges the generator."""

from typing import NamedTuple

import keras
import tensorflow as tf

from t2i_tf import replicas
from t2i_tf.losses import damsm_losses
from t2i_tf.trainer import Trainer, weight_norm

LOSS_NAMES = (
    "word_image_to_text",
    "word_text_to_image",
    "sentence_image_to_text",
    "sentence_text_to_image",
)


class DAMSM(Trainer):
    """Deep attentional multimodal similarity model (AttnGAN, section 3.2).

    Batches may carry `wrong_tokens`, captions made wrong by exchanging some of their words: they
    join the mismatches of each image (hard negatives as in NegCLIP, Yuksekgonul et al., 2023), so
    that the order of the words has to be learnt and not only which words there are. With several
    replicas, images and captions of all of them are compared.

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

    def compile(self, optimizer, **kwargs):
        """Creates the optimizer's variables. The encoders must be built."""
        super().compile(optimizer=None, **kwargs)
        self.optimizer = optimizer
        optimizer.build(self.trainable_variables)
        self.track("loss", *LOSS_NAMES, "gradient_norm")

    def facts(self):
        return {
            "learning_rate": self.optimizer.learning_rate,
            "text_weight_norm": weight_norm(self.text_encoder),
            "image_weight_norm": weight_norm(self.image_encoder),
        }

    def losses_of(self, batch, training=False):
        """The four matching losses of a batch, by name."""
        captions = encode_captions(self.text_encoder, batch, training=training)
        image_codes = self.image_encoder(batch["images"][-1], training=training)
        return matching_losses(captions, image_codes, batch["class_id"], self.gammas)

    def train_step(self, batch):
        text_variables = self.text_encoder.trainable_variables
        variables = text_variables + self.image_encoder.trainable_variables
        scale = self.optimizer.scale_loss(tf.constant(1.0))
        with tf.GradientTape() as tape:
            losses = self.losses_of(batch, training=True)
            loss = tf.add_n(list(losses.values()))
            scaled = scale * loss
        gradients = replicas.mean(tape.gradient(scaled, variables))
        of_text, of_images = gradients[: len(text_variables)], gradients[len(text_variables) :]
        of_text, norm = tf.clip_by_global_norm(of_text, self.clip_norm * scale)
        self.optimizer.apply(of_text + of_images, variables)
        return self.log({"loss": loss, **losses, "gradient_norm": norm / scale})

    def test_step(self, batch):
        losses = self.losses_of(batch)
        return self.log({"loss": tf.add_n(list(losses.values())), **losses})


class Captions(NamedTuple):
    """Encoded captions of a batch.

    Attributes:
        words: `[b, T, E]` of this replica's images.
        sentences: `[b, E]`.
        mask: Boolean `[b, T]`.
        everyones: (words, sentences, mask) of all replicas' images, `[B, ...]`; wrong captions
            follow behind.
        wrong_sentences: `[b, E]`, or None in a batch without wrong captions.
        false_negatives: Boolean `[B]`, whether a wrong caption is in truth none, or None.
    """

    words: tf.Tensor
    sentences: tf.Tensor
    mask: tf.Tensor
    everyones: tuple[tf.Tensor, tf.Tensor, tf.Tensor]
    wrong_sentences: tf.Tensor | None = None
    false_negatives: tf.Tensor | None = None


def encode_captions(text_encoder, batch, training=False):
    """Encodes the captions and, where the batch has them, the wrong captions, as `Captions`."""
    tokens = batch["tokens"]
    if "wrong_tokens" not in batch:
        own = (*text_encoder(tokens, training=training), tokens != 0)
        return Captions(*own, tuple(map(replicas.gather, own)))
    rows, wrong_tokens = tokens.shape[0], batch["wrong_tokens"]
    unchanged = tf.reduce_all(tokens == wrong_tokens, axis=1)
    tokens = tf.concat([tokens, wrong_tokens], axis=0)
    encoded = (*text_encoder(tokens, training=training), tokens != 0)
    own, wrong = ([t[half] for t in encoded] for half in (slice(rows), slice(rows, None)))
    everyones = [
        tf.concat([replicas.gather(a), replicas.gather(b)], axis=0)
        for a, b in zip(own, wrong, strict=True)
    ]
    # A caption that the exchange left as it is takes the next image's caption in its stead.
    another = replicas.own_rows(tf.roll(replicas.gather(own[1]), -1, axis=0))
    wrong_sentences = tf.where(unchanged[:, None], another, wrong[1])
    return Captions(*own, tuple(everyones), wrong_sentences, replicas.gather(unchanged))


def matching_losses(captions, image_codes, class_ids, gammas):
    """DAMSM's losses of this replica's images among the captions of all; see `damsm_losses`."""
    floats = keras.config.floatx()  # Half precision would blur the scores' differences.
    words, sentences, mask = captions.everyones
    return damsm_losses(
        (tf.cast(words, floats), tf.cast(sentences, floats), mask),
        tuple(tf.cast(codes, floats) for codes in image_codes),
        replicas.gather(class_ids),
        gammas,
        captions.false_negatives,
        replicas.gather,
    )
