"""AttnGAN as a keras.Model whose train_step is the paper's algorithm."""

import keras
import tensorflow as tf

from t2i_tf import replicas
from t2i_tf.damsm import encode_captions, matching_losses
from t2i_tf.diffaugment import DRAWS, POLICIES, diffaugment
from t2i_tf.losses import (
    LOSSES,
    discriminator_loss,
    diversity,
    generator_loss,
    kl_loss,
    matching_aware_penalty,
    r1_penalty,
)
from t2i_tf.trainer import Trainer, weight_norm

# What random numbers are for; each purpose has its own stream.
NOISE, TWINS, REAL, FAKE, JUDGED = range(5)
TWIN_ROWS = 4  # one caption of so many has a twin


class AttnGAN(Trainer):
    """Generator, one discriminator an image, and the frozen DAMSM encoders (AttnGAN, section 3).

    Args:
        text_encoder: A `TextEncoder`, kept frozen.
        image_encoder: An `ImageEncoder` of the same space, kept frozen.
        generator: A built `Generator`.
        ema_generator: Another of the same shape; it follows the exponential moving average of the
            weights and is the one that samples, metrics and exports use.
        discriminators: One built `Discriminator` for each image, smallest first.
        gammas: DAMSM's (gamma1, gamma2, gamma3).
        damsm_weight: lambda, the weight of the matching losses of the last stage's image; 0 leaves
            them out.
        damsm_warmup_steps: Steps over which lambda rises from 0.
        kl_weight: Weight of the conditioning augmentation's KL divergence.
        adversarial_loss: `"cross_entropy"` or `"hinge"`, see `discriminator_loss`.
        gradient_penalty: Weight of the matching-aware gradient penalty on real images with their
            sentences (Tao et al., 2022, DF-GAN, eq. 2); 0 leaves it out.
        r1_penalty: Weight of the R1 penalty on real images; 0 leaves it out.
        diffaugment: What is done to all images that discriminators see, see `diffaugment`; DAMSM
            sees them as they are.
        generator_steps: Steps of the generator after one of the discriminators, each with its own
            noise.
        diversity_weight: Weight of the pull apart of images of one caption (Yang et al., 2019,
            diversity-sensitive GAN, eq. 4), measured on twins of a quarter of the batch; 0 leaves
            them out.
        diversity_limit: Mean absolute difference, per unit of noise, past which twins are not
            pulled further apart (the paper's tau).
        ema_decay: Decay of the average; the first steps use (1 + step) / (10 + step) if smaller.
        seed: Decides every random draw together with the examples' indices.

    Raises:
        ValueError: An option is out of its range.
    """

    def __init__(
        self,
        text_encoder,
        image_encoder,
        generator,
        ema_generator,
        discriminators,
        *,
        gammas=(4.0, 5.0, 10.0),
        damsm_weight=5.0,
        damsm_warmup_steps=0,
        kl_weight=1.0,
        adversarial_loss="cross_entropy",
        gradient_penalty=0.0,
        r1_penalty=0.0,
        diffaugment=(),
        generator_steps=1,
        diversity_weight=0.0,
        diversity_limit=0.15,
        ema_decay=0.999,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if adversarial_loss not in LOSSES:
            raise ValueError(f"adversarial_loss must be one of {LOSSES}, got {adversarial_loss!r}")
        if unknown := [name for name in diffaugment if name not in POLICIES]:
            raise ValueError(f"diffaugment must be of {tuple(POLICIES)}, got {unknown[0]!r}")
        if generator_steps < 1:
            raise ValueError(f"generator_steps must be at least 1, got {generator_steps}")
        if not 0.0 <= ema_decay < 1.0:
            raise ValueError(f"ema_decay must be at least 0 and below 1, got {ema_decay}")
        self.text_encoder = text_encoder
        self.image_encoder = image_encoder
        self.generator = generator
        self.ema_generator = ema_generator
        self.discriminators = discriminators
        self.gammas = tuple(gammas)
        self.damsm_weight = damsm_weight
        self.damsm_warmup_steps = damsm_warmup_steps
        self.kl_weight = kl_weight
        self.adversarial_loss = adversarial_loss
        self.gradient_penalty = gradient_penalty
        self.r1_penalty = r1_penalty
        self.diffaugment = tuple(diffaugment)
        self.generator_steps = generator_steps
        self.diversity_weight = diversity_weight
        self.diversity_limit = diversity_limit
        self.ema_decay = ema_decay
        self.seed = seed
        for frozen in (text_encoder, image_encoder, ema_generator):
            frozen.trainable = False

    def compile(self, generator_optimizer, discriminator_optimizers, **kwargs):
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

    def facts(self):
        judges = enumerate(self.discriminators)
        return {
            "g_learning_rate": self.generator_optimizer.learning_rate,
            "d_learning_rate": self.discriminator_optimizers[0].learning_rate,
            "g_weight_norm": weight_norm(self.generator),
            **{f"d_weight_norm_{i}": weight_norm(network) for i, network in judges},
        }

    def call(self, tokens, noise, eps):
        """Images of the averaged generator for token ids `[B, T]`; see `Generator.call`."""
        words, sentence = self.text_encoder(tokens)
        return self.ema_generator(sentence, words, tokens != 0, noise, eps)

    def train_step(self, batch):
        captions = encode_captions(self.text_encoder, batch)
        variables = self.generator.trainable_variables
        logs = {}
        for turn in range(self.generator_steps):
            with tf.GradientTape() as tape:
                fake, spread = self._generate(captions, batch["index"], turn)
                if turn == 0:
                    with tape.stop_recording():
                        logs |= self._train_discriminators(batch, fake["images"], captions)
                losses = self._generator_losses(fake["images"], captions, batch["index"], turn)
                word_loss, sentence_loss = self._matching_losses(
                    captions, fake["images"][-1], batch["class_id"]
                )
                kl = kl_loss(fake["mu"], fake["logvar"])
                loss = tf.add_n(list(losses.values())) + self.kl_weight * kl
                loss += self._damsm_weight() * (word_loss + sentence_loss)
                loss -= self.diversity_weight * spread
            norm = replicas.minimize(self.generator_optimizer, tape, loss, variables)
            self._update_average()
        logs |= losses
        logs |= {"g_loss": loss, "g_gradient_norm": norm, "kl_loss": kl, "diversity": spread}
        logs |= {"word_loss": word_loss, "sentence_loss": sentence_loss}
        return self.log(logs)

    def _generate(self, captions, index, turn):
        """Images of every caption, and how far twins of some captions are apart.

        Twins are images of some captions from other noise; they serve the diversity alone.
        """
        texts = captions.sentences, captions.words, captions.mask
        rows, dims = index.shape[0], (self.generator.noise_dim, self.generator.condition_dim)
        draws = self._random(tf.random.stateless_normal, index, sum(dims), NOISE, turn)
        if self.diversity_weight:
            twins = self._random(tf.random.stateless_normal, index, sum(dims), TWINS, turn)
            draws = tf.concat([draws, twins[::TWIN_ROWS]], axis=0)
            texts = (tf.concat([text, text[::TWIN_ROWS]], axis=0) for text in texts)
        noise, eps = tf.split(draws, dims, axis=1)
        drawn = self.generator(*texts, noise, eps, training=True)
        fake = tf.nest.map_structure(lambda t: t[:rows], drawn)
        if not self.diversity_weight:
            return fake, 0.0
        images = drawn["images"][-1]
        return fake, diversity(
            images[:rows:TWIN_ROWS],
            images[rows:],
            noise[:rows:TWIN_ROWS],
            noise[rows:],
            self.diversity_limit,
        )

    def _random(self, draw, index, width, *purpose):
        """Random numbers `[b, width]`, a function of the seed, the purpose and the examples.

        They are this replica's rows of what one replica would draw for the global batch.
        """
        rows = index.shape[0]
        first = index[0] - tf.cast(replicas.position() * rows, index.dtype)
        seed = tf.stack([tf.cast(self.seed, first.dtype), first])
        for number in purpose:
            seed = tf.random.fold_in(seed, number, alg="philox")
        everyones = draw([rows * replicas.count(), width], seed, alg="philox")
        return replicas.own_rows(everyones)

    def _augment(self, images, index, *purpose):
        if not self.diffaugment:
            return images
        draws = self._random(tf.random.stateless_uniform, index, DRAWS, *purpose)
        return diffaugment(images, draws, self.diffaugment)

    def _train_discriminators(self, batch, fake_images, captions):
        """One step of every discriminator; returns what there is to log, by name."""
        logs = {}
        for i in range(len(self.discriminators)):
            # One after the other: side by side they would need the memory of all together.
            with tf.control_dependencies(list(logs.values())):
                facts = self._train_discriminator(
                    i, batch["images"][i], fake_images[i], captions, batch["index"]
                )
            logs |= {f"{name}_{i}": fact for name, fact in facts.items()}
        return logs

    def _train_discriminator(self, i, real_images, fake_images, captions, index):
        """One step of discriminator i; returns what there is to log, by name.

        Each image's mismatch is the next image's sentence; a wrong sentence of its own joins it.
        """
        network, sentence = self.discriminators[i], captions.sentences
        real_images = self._augment(real_images, index, REAL, i)
        fake_images = self._augment(fake_images, index, FAKE, i)
        following, count = replicas.next_rows(sentence)
        with tf.GradientTape() as tape:
            real, fake, alone, matched, penalty = self._judge_real(
                network, real_images, fake_images, sentence
            )
            fake_matched = network.conditional(fake, sentence, training=True)
            mismatched = [network.conditional(real[: following.shape[0]], following, training=True)]
            if captions.wrong_sentences is not None:
                wrong = captions.wrong_sentences
                mismatched.append(network.conditional(real, wrong, training=True))
            loss = discriminator_loss(
                alone,
                matched,
                network.unconditional(fake, training=True),
                fake_matched,
                *mismatched,
                mismatched_count=count,
                kind=self.adversarial_loss,
            )
            total = loss + penalty
        norm = replicas.minimize(
            self.discriminator_optimizers[i], tape, total, network.trainable_variables
        )
        return {
            "d_loss": loss,
            "d_gradient_norm": norm,
            "d_real_accuracy": _share(matched > 0),
            "d_fake_accuracy": _share(fake_matched < 0),
            "d_mismatched_accuracy": _share(tf.concat(mismatched, axis=0) < 0),
        }

    def _judge_real(self, network, images, fake_images, sentence):
        """Judges real images, computing fake images' features on the way.

        Returns:
            The features of both, the real images' unconditional and matched logits, and the sum
            of their penalties.
        """
        with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
            tape.watch((images, sentence))
            features, fake = network.features(images, fake_images, training=True)
            matched = network.conditional(features, sentence, training=True)
            alone = network.unconditional(features, training=True)
            judgement = matched if alone is None else matched + alone
        penalty = 0.0
        if self.gradient_penalty:
            gradients = tape.gradient(matched, (images, sentence))
            penalty += self.gradient_penalty * matching_aware_penalty(*gradients)
        if self.r1_penalty:
            penalty += self.r1_penalty * r1_penalty(tape.gradient(judgement, images))
        return features, fake, alone, matched, penalty

    def _generator_losses(self, images, captions, index, turn):
        """The adversarial loss of every stage's images, by name."""
        losses = {}
        for i, network in enumerate(self.discriminators):
            seen = self._augment(images[i], index, JUDGED, i, turn)
            logits = network(seen, captions.sentences, training=True)
            losses[f"g_loss_{i}"] = generator_loss(*logits, kind=self.adversarial_loss)
        return losses

    def _matching_losses(self, captions, images, class_ids):
        """DAMSM's word and sentence loss of the last images; 0 where they have no weight."""
        if not self.damsm_weight:
            return 0.0, 0.0
        losses = matching_losses(captions, self.image_encoder(images), class_ids, self.gammas)
        return tuple(
            losses[f"{name}_image_to_text"] + losses[f"{name}_text_to_image"]
            for name in ("word", "sentence")
        )

    def _damsm_weight(self):
        if not self.damsm_warmup_steps:
            return self.damsm_weight
        updates = tf.cast(self.generator_optimizer.iterations, keras.config.floatx())
        step = updates // self.generator_steps
        return self.damsm_weight * tf.minimum(step / self.damsm_warmup_steps, 1.0)

    def _update_average(self):
        """Moves the averaged generator; BatchNorm's running statistics are copied as they are."""
        step = tf.cast(self.generator_optimizer.iterations, keras.config.floatx())
        decay = tf.minimum(self.ema_decay, (1.0 + step) / (10.0 + step))
        averaged, current = self.ema_generator, self.generator
        trained = {id(variable) for variable in current.trainable_variables}
        for target, source in zip(averaged.variables, current.variables, strict=True):
            if id(source) in trained:
                target.assign(decay * target + (1.0 - decay) * source)
            else:
                target.assign(source)


def _share(truths):
    return tf.reduce_mean(tf.cast(truths, keras.config.floatx()))
