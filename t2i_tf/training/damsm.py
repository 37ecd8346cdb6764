"""DAMSM: the text-image matching model that guides the generator."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from t2i_tf.training.losses import Scores, damsm_losses, damsm_scores
from t2i_tf.training.machinery import replicas
from t2i_tf.training.trainer import Trainer, weight_norm

LOSS_NAMES = (
    "word_image_to_text",
    "word_text_to_image",
    "sentence_image_to_text",
    "sentence_text_to_image",
)


class DAMSM(Trainer):
    """Deep attentional multimodal similarity model (AttnGAN, section 3.2).

    Batches may carry `wrong_tokens`, captions made wrong by exchanging some of their words. They
    join the mismatches of each image (hard negatives as in NegCLIP, Yuksekgonul et al., 2023),
    because the model must learn the order of the words and not only which words occur. With several
    replicas, the images and captions of all replicas are compared.

    Args:
        text_encoder: A `TextEncoder`.
        image_encoder: An `ImageEncoder` of the same E.
        image_size: Side of the real images, in pixels.
        gammas: (gamma1, gamma2, gamma3).
        clip_norm: Largest gradient norm of the text encoder.
    """

    def __init__(
        self,
        text_encoder: keras.Model,
        image_encoder: keras.Model,
        image_size: int | None = None,
        gammas: Sequence[float] = (4.0, 5.0, 10.0),
        clip_norm: float = 0.25,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.text_encoder = text_encoder
        self.image_encoder = image_encoder
        self.image_size = image_size
        self.gammas = tuple(gammas)
        self.clip_norm = clip_norm

    def compile(self, optimizer: keras.optimizers.Optimizer, **kwargs) -> None:
        """Creates the optimizer's variables. The encoders must be built."""
        super().compile(optimizer=None, **kwargs)
        self.optimizer = optimizer
        optimizer.build(self.trainable_variables)
        self.track("loss", *LOSS_NAMES, "gradient_norm")

    @property
    def parts(self) -> list[keras.Model | keras.optimizers.Optimizer]:
        return [self.text_encoder, self.image_encoder, self.optimizer]

    @property
    def image_sizes(self) -> Sequence[int]:
        return (self.image_size,)

    @property
    def shown(self) -> Sequence[str]:
        return ("loss",)

    def state_figures(self) -> dict[str, tf.Tensor]:
        return {
            "learning_rate": self.optimizer.learning_rate,
            "text_weight_norm": weight_norm(self.text_encoder),
            "image_weight_norm": weight_norm(self.image_encoder),
        }

    def train_step(self, batch):
        text_variables = self.text_encoder.trainable_variables
        variables = text_variables + self.image_encoder.trainable_variables
        scale = self.optimizer.scale_loss(tf.constant(1.0, keras.config.floatx()))
        with tf.GradientTape() as tape:
            captions = encode_captions(self.text_encoder, batch, training=True)
            regions, codes = self.image_encoder(batch["images"][-1], training=True)
            losses = matching_losses(captions, regions, codes, batch["class_id"], self.gammas)
            loss = tf.add_n(list(losses.values()))
            scaled = scale * loss
        gradients = replicas.mean(tape.gradient(scaled, variables))
        of_text, of_images = gradients[: len(text_variables)], gradients[len(text_variables) :]
        of_text, norm = tf.clip_by_global_norm(of_text, self.clip_norm * scale)
        self.optimizer.apply(of_text + of_images, variables)
        return self.log({"loss": loss, **losses, "gradient_norm": norm / scale})


class Encoded(NamedTuple):
    """Captions as the text encoder returns them.

    Attributes:
        words: `[C, T, E]`.
        sentences: `[C, E]`.
        mask: Boolean `[C, T]`, True at real words.
    """

    words: tf.Tensor
    sentences: tf.Tensor
    mask: tf.Tensor


class Captions(NamedTuple):
    """The encoded captions of a batch.

    Attributes:
        own: The captions of this replica's images.
        compared: The captions that DAMSM compares images with: those of all replicas' images,
            followed by all replicas' wrong captions if the batch has any.
        wrong_sentences: The sentence code of a wrong caption for each of this replica's images,
            `[b, E]`; None in a batch without wrong captions.
        unchanged: Boolean `[B]`, True where the exchange of words left a caption unchanged, so it
            is not wrong; None in a batch without wrong captions.
    """

    own: Encoded
    compared: Encoded
    wrong_sentences: tf.Tensor | None = None
    unchanged: tf.Tensor | None = None


def encode_captions(
    text_encoder: keras.Model, batch: Mapping[str, tf.Tensor], training: bool = False
) -> Captions:
    """Encodes a batch's captions and, if it has any, its wrong captions."""
    tokens = batch["tokens"]
    if "wrong_tokens" not in batch:
        own = Encoded(*text_encoder(tokens, training=training), tokens != 0)
        return Captions(own, Encoded(*map(replicas.gather, own)))
    rows, wrong_tokens = tokens.shape[0], batch["wrong_tokens"]
    unchanged = tf.reduce_all(tokens == wrong_tokens, axis=1)
    tokens = tf.concat([tokens, wrong_tokens], axis=0)
    encoded = (*text_encoder(tokens, training=training), tokens != 0)
    own, wrong = (Encoded(*(t[part] for t in encoded)) for part in (slice(rows), slice(rows, None)))
    compared = Encoded(
        *(
            tf.concat([replicas.gather(right), replicas.gather(exchanged)], axis=0)
            for right, exchanged in zip(own, wrong, strict=True)
        )
    )
    # The next image's caption replaces a caption that the exchange left unchanged.
    following = replicas.own_rows(tf.roll(replicas.gather(own.sentences), -1, axis=0))
    wrong_sentences = tf.where(unchanged[:, None], following, wrong.sentences)
    return Captions(own, compared, wrong_sentences, replicas.gather(unchanged))


def matching_losses(
    captions: Captions,
    regions: tf.Tensor,
    codes: tf.Tensor,
    class_ids: tf.Tensor,
    gammas: Sequence[float],
) -> dict[str, tf.Tensor]:
    """DAMSM's four losses of all replicas' images and captions, see `damsm_losses`.

    Args:
        captions: The batch's captions.
        regions: Region features of this replica's images, `[b, h, w, E]`.
        codes: Their codes, `[b, E]`.
        class_ids: Their classes, `[b]`.
        gammas: (gamma1, gamma2, gamma3).
    """
    floats = keras.config.floatx()  # Half precision would blur the scores' differences.
    words, sentences, mask = captions.compared
    words, sentences, regions, codes = (
        tf.cast(features, floats) for features in (words, sentences, regions, codes)
    )
    own_images = damsm_scores(words, sentences, mask, regions, codes, gammas)
    scores = Scores(*map(replicas.gather, own_images))
    return damsm_losses(scores, replicas.gather(class_ids), captions.unchanged)
