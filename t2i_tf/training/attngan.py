"""AttnGAN as a keras.Model whose train_step is the paper's algorithm."""

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from t2i_tf.training import repeats
from t2i_tf.training.damsm import Captions, encode_captions, matching_losses
from t2i_tf.training.diffaugment import DRAWS, diffaugment
from t2i_tf.training.losses import (
    discriminator_loss,
    diversity,
    generator_loss,
    kl_loss,
    matching_aware_penalty,
    r1_penalty,
)
from t2i_tf.training.machinery import replicas
from t2i_tf.training.machinery.memory import in_turn
from t2i_tf.training.options import GanOptions
from t2i_tf.training.trainer import Trainer, weight_norm

# The purposes of random numbers; each purpose has its own stream.
NOISE, REPEATED_NOISE, REAL, FAKE, OF_GENERATOR = range(5)


class Fakes(NamedTuple):
    """Images that the generator drew in a step from a batch's captions.

    Attributes:
        images: One `[b, s, s, 3]` for each image size, smallest first.
        mu: The condition's mean, `[b, C]`.
        logvar: The condition's log-variance, `[b, C]`.
        diversity: Distance between images of one caption, see `losses.diversity`; 0 if it has no
            weight.
        tape: The tape that recorded the drawing.
    """

    images: Sequence[tf.Tensor]
    mu: tf.Tensor
    logvar: tf.Tensor
    diversity: tf.Tensor | float
    tape: tf.GradientTape


class Logits(NamedTuple):
    """A discriminator's logits of real images and fakes.

    Attributes:
        real: Logits of real images alone, `[b]`; None without the unconditional head.
        real_matched: Logits of real images with their sentences, `[b]`.
        fake: Logits of fakes alone, `[b]`, or None.
        fake_matched: Logits of fakes with their sentences, `[b]`.
        mismatched: Logits of real images with wrong sentences, `[M]`.
        mismatched_weights: The weights of `mismatched` in the loss, `[M]`.
    """

    real: tf.Tensor | None
    real_matched: tf.Tensor
    fake: tf.Tensor | None
    fake_matched: tf.Tensor
    mismatched: tf.Tensor
    mismatched_weights: tf.Tensor


class AttnGAN(Trainer):
    """Generator, one discriminator per image size, and frozen DAMSM encoders (AttnGAN, section 3).

    Args:
        text_encoder: A `TextEncoder`, kept frozen.
        image_encoder: An `ImageEncoder` of the same space, kept frozen.
        generator: A built `Generator`.
        ema_generator: Another `Generator` of the same shape, whose weights are the exponential
            moving average of the generator's; samples, metrics and exports use it.
        discriminators: One built `Discriminator` for each image size, smallest first.
        options: See `GanOptions`.
        gammas: DAMSM's (gamma1, gamma2, gamma3).
        seed: Decides every random draw together with the examples' indices.
    """

    def __init__(
        self,
        text_encoder: keras.Model,
        image_encoder: keras.Model,
        generator: keras.Model,
        ema_generator: keras.Model,
        discriminators: Sequence[keras.Model],
        options: GanOptions,
        gammas: Sequence[float] = (4.0, 5.0, 10.0),
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.text_encoder = text_encoder
        self.image_encoder = image_encoder
        self.generator = generator
        self.ema_generator = ema_generator
        self.discriminators = discriminators
        self.options = options
        self.gammas = tuple(gammas)
        self.seed = seed
        for frozen in (text_encoder, image_encoder, ema_generator):
            frozen.trainable = False

    def compile(
        self,
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizers: Sequence[keras.optimizers.Optimizer],
        **kwargs,
    ) -> None:
        """Creates the optimizers' variables, one optimizer for each discriminator."""
        super().compile(optimizer=None, **kwargs)
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizers = list(discriminator_optimizers)
        generator_optimizer.build(self.generator.trainable_variables)
        for optimizer, network in zip(
            self.discriminator_optimizers, self.discriminators, strict=True
        ):
            optimizer.build(network.trainable_variables)
        of_each = ["d_loss", "d_gradient_norm", "g_loss"]
        of_each += [f"d_{kind}_accuracy" for kind in ("real", "fake", "mismatched")]
        names = [f"{name}_{i}" for name in of_each for i in range(len(self.discriminators))]
        names += ["g_loss", "kl_loss", "word_loss", "sentence_loss", "diversity", "g_gradient_norm"]
        self.track(*names)

    @property
    def parts(self) -> list[keras.Model | keras.optimizers.Optimizer]:
        return [
            self.generator,
            self.ema_generator,
            *self.discriminators,
            self.generator_optimizer,
            *self.discriminator_optimizers,
        ]

    @property
    def frozen(self) -> list[keras.Model]:
        return [self.text_encoder, self.image_encoder]

    @property
    def image_sizes(self) -> Sequence[int]:
        return self.generator.image_sizes

    @property
    def shown(self) -> Sequence[str]:
        return (f"d_loss_{len(self.discriminators) - 1}", "g_loss", "word_loss")

    def state_figures(self) -> dict[str, tf.Tensor]:
        norms = {f"d_weight_norm_{i}": weight_norm(d) for i, d in enumerate(self.discriminators)}
        return {
            "g_learning_rate": self.generator_optimizer.learning_rate,
            "d_learning_rate": self.discriminator_optimizers[0].learning_rate,
            "g_weight_norm": weight_norm(self.generator),
            **norms,
        }

    def train_step(self, batch):
        """One step of every discriminator, then one or more of the generator."""
        captions = encode_captions(self.text_encoder, batch)
        fakes = self.draw_fakes(captions, batch)
        figures = self.train_discriminators(fakes, captions, batch)
        figures |= self.train_generator(fakes, captions, batch)
        self.update_average()
        for turn in range(1, self.options.generator_steps):
            fakes = self.draw_fakes(captions, batch, turn)
            figures |= self.train_generator(fakes, captions, batch, turn)
            self.update_average()
        return self.log(figures)

    def draw_fakes(self, captions: Captions, batch: Mapping, turn: int = 0) -> Fakes:
        """Draws an image from every caption; each later turn of the generator uses other noise."""
        options, rows = self.options, batch["index"].shape[0]
        words, sentences, mask = captions.own
        noise, eps = self._noise(batch["index"], NOISE, turn)
        if options.diversity_weight:
            other_noise, other_eps = self._noise(batch["index"], REPEATED_NOISE, turn)
            noise = repeats.append(noise, other_noise)
            eps = repeats.append(eps, other_eps)
            words, sentences, mask = map(repeats.append, captions.own, captions.own)
        with tf.GradientTape() as tape:
            drawn = self.generator(sentences, words, mask, noise, eps, training=True)
            apart = 0.0
            if options.diversity_weight:
                images = repeats.pairs(drawn["images"][-1], rows)
                apart = diversity(*images, *repeats.pairs(noise, rows), options.diversity_limit)
            images = [image[:rows] for image in drawn["images"]]
            mu, logvar = drawn["mu"][:rows], drawn["logvar"][:rows]
        return Fakes(images, mu, logvar, apart, tape)

    def train_discriminators(self, fakes: Fakes, captions: Captions, batch: Mapping) -> dict:
        """One step of every discriminator; returns its figures by name."""
        steps = [
            functools.partial(self.train_discriminator, i, real, fake, captions, batch["index"])
            for i, (real, fake) in enumerate(zip(batch["images"], fakes.images, strict=True))
        ]
        return {
            f"{name}_{i}": value
            for i, figures in enumerate(in_turn(steps))
            for name, value in figures.items()
        }

    def train_discriminator(
        self, i: int, real: tf.Tensor, fake: tf.Tensor, captions: Captions, index: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """One step of discriminator i on real images and fakes; returns its figures."""
        network, optimizer = self.discriminators[i], self.discriminator_optimizers[i]
        # This step's own tape starts here, so no gradient reaches the generator.
        real = self._augment(real, index, REAL, i)
        fake = self._augment(fake, index, FAKE, i)
        with tf.GradientTape() as tape:
            logits = self.tell_apart(network, real, fake, captions)
            loss = discriminator_loss(**logits._asdict(), kind=self.options.adversarial_loss)
            total = loss + self.penalty(network, real, captions.own.sentences)
        norm = replicas.minimize(optimizer, tape, total, network.trainable_variables)
        return {
            "d_loss": loss,
            "d_gradient_norm": norm,
            "d_real_accuracy": _share(logits.real_matched > 0),
            "d_fake_accuracy": _share(logits.fake_matched < 0),
            "d_mismatched_accuracy": _share(logits.mismatched < 0),
        }

    def tell_apart(
        self, network: keras.Model, real: tf.Tensor, fake: tf.Tensor, captions: Captions
    ) -> Logits:
        """A discriminator's logits of real, fake and mismatched pairs.

        Each real image is mismatched with the next image's sentence and, if the batch has wrong
        captions, with the sentence of its own wrong caption.
        """
        sentences = captions.own.sentences
        both = network.features(tf.concat([real, fake], axis=0), groups=2, training=True)
        of_real, of_fake = tf.split(both, 2)
        real_matched = network.conditional(of_real, sentences, training=True)
        real_alone = network.unconditional(of_real, training=True)
        fake_matched = network.conditional(of_fake, sentences, training=True)
        fake_alone = network.unconditional(of_fake, training=True)
        following, weights = replicas.next_rows(sentences)
        mismatched = network.conditional(of_real[: following.shape[0]], following, training=True)
        if captions.wrong_sentences is not None:
            wrong = network.conditional(of_real, captions.wrong_sentences, training=True)
            mismatched = tf.concat([mismatched, wrong], axis=0)
            weights = tf.concat([weights, tf.ones_like(wrong) / wrong.shape[0]], axis=0) / 2.0
        return Logits(real_alone, real_matched, fake_alone, fake_matched, mismatched, weights)

    def penalty(
        self, network: keras.Model, images: tf.Tensor, sentences: tf.Tensor
    ) -> tf.Tensor | float:
        """The penalties on a discriminator's gradients at real images, weighted and summed."""
        options, penalty = self.options, 0.0
        if not options.gradient_penalty and not options.r1_penalty:
            return penalty
        with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
            tape.watch((images, sentences))
            logits = network(images, sentences, training=True)
            both, matched = tf.add_n(logits), logits[-1]
        if options.gradient_penalty:
            gradients = tape.gradient(matched, (images, sentences))
            penalty += options.gradient_penalty * matching_aware_penalty(*gradients)
        if options.r1_penalty:
            penalty += options.r1_penalty * r1_penalty(tape.gradient(both, images))
        return penalty

    def train_generator(
        self, fakes: Fakes, captions: Captions, batch: Mapping, turn: int = 0
    ) -> dict:
        """One step of the generator against the discriminators as they are now."""
        options = self.options
        with fakes.tape as tape:  # It goes on recording where the drawing ended.
            adversarial = self.adversarial_losses(fakes, captions, batch["index"], turn)
            kl = kl_loss(fakes.mu, fakes.logvar)
            word_loss, sentence_loss = self.matching(fakes, captions, batch["class_id"])
            loss = tf.add_n(list(adversarial.values())) + options.kl_weight * kl
            loss += self.damsm_weight() * (word_loss + sentence_loss)
            loss -= options.diversity_weight * fakes.diversity
        norm = replicas.minimize(
            self.generator_optimizer, tape, loss, self.generator.trainable_variables
        )
        return {
            **adversarial,
            "g_loss": loss,
            "g_gradient_norm": norm,
            "kl_loss": kl,
            "word_loss": word_loss,
            "sentence_loss": sentence_loss,
            "diversity": fakes.diversity,
        }

    def adversarial_losses(
        self, fakes: Fakes, captions: Captions, index: tf.Tensor, turn: int
    ) -> dict:
        """The generator's loss from each discriminator, by name."""
        losses = {}
        for i, (network, images) in enumerate(zip(self.discriminators, fakes.images, strict=True)):
            images = self._augment(images, index, OF_GENERATOR, i, turn)
            logits = network(images, captions.own.sentences, training=True)
            losses[f"g_loss_{i}"] = generator_loss(*logits, kind=self.options.adversarial_loss)
        return losses

    def matching(
        self, fakes: Fakes, captions: Captions, class_ids: tf.Tensor
    ) -> tuple[tf.Tensor | float, tf.Tensor | float]:
        """DAMSM's word and sentence losses of the last stage's images; 0 if they have no weight."""
        if not self.options.damsm_weight:
            return 0.0, 0.0
        regions, codes = self.image_encoder(fakes.images[-1])
        losses = matching_losses(captions, regions, codes, class_ids, self.gammas)
        return tuple(
            losses[f"{name}_image_to_text"] + losses[f"{name}_text_to_image"]
            for name in ("word", "sentence")
        )

    def damsm_weight(self) -> tf.Tensor | float:
        """lambda at this step."""
        options = self.options
        if not options.damsm_warmup_steps:
            return options.damsm_weight
        updates = tf.cast(self.generator_optimizer.iterations, keras.config.floatx())
        step = updates // options.generator_steps
        return options.damsm_weight * tf.minimum(step / options.damsm_warmup_steps, 1.0)

    def update_average(self) -> None:
        """Updates the averaged generator; BatchNorm's running statistics are copied unaveraged."""
        step = tf.cast(self.generator_optimizer.iterations, keras.config.floatx())
        decay = tf.minimum(self.options.ema_decay, (1.0 + step) / (10.0 + step))
        averaged, current = self.ema_generator, self.generator
        trained = {id(variable) for variable in current.trainable_variables}
        for target, source in zip(averaged.variables, current.variables, strict=True):
            if id(source) in trained:
                target.assign(decay * target + (1.0 - decay) * source)
            else:
                target.assign(source)

    def _noise(self, index, *purpose):
        """z `[b, Z]` and eps `[b, C]`, standard normal."""
        dims = self.generator.noise_dim, self.generator.condition_dim
        draw = tf.random.stateless_normal
        draws = replicas.random_rows(draw, index, sum(dims), self.seed, *purpose)
        return tf.split(draws, dims, axis=1)

    def _augment(self, images, index, *purpose):
        if not self.options.diffaugment:
            return images
        draw = tf.random.stateless_uniform
        draws = replicas.random_rows(draw, index, DRAWS, self.seed, *purpose)
        return diffaugment(images, draws, self.options.diffaugment)


def _share(truths):
    return tf.reduce_mean(tf.cast(truths, keras.config.floatx()))
