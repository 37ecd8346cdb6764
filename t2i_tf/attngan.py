"""AttnGAN as a keras.Model whose train_step is the paper's algorithm."""

import keras
import tensorflow as tf

from t2i_tf.damsm import running_means, update_averages
from t2i_tf.losses import (
    damsm_losses,
    discriminator_loss,
    diversity,
    generator_loss,
    kl_loss,
    matching_aware_penalty,
)


class AttnGAN(keras.Model):
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
        gradient_penalty: Weight of the matching-aware gradient penalty on real images with their
            sentences (Tao et al., 2022, DF-GAN, eq. 2); 0 leaves it out.
        diversity_weight: Weight of the pull apart of images of one caption (Yang et al., 2019,
            diversity-sensitive GAN, eq. 4), measured on twins of a quarter of the batch; 0 leaves
            them out.
        diversity_limit: Mean absolute difference, per unit of noise, past which twins are not
            pulled further apart (the paper's tau).
        ema_decay: Decay of the average; the first steps use (1 + step) / (10 + step) if smaller.
        seed: Decides every random draw together with the examples' indices.
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
        gradient_penalty=0.0,
        diversity_weight=0.0,
        diversity_limit=0.15,
        ema_decay=0.999,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.text_encoder = text_encoder
        self.image_encoder = image_encoder
        self.generator = generator
        self.ema_generator = ema_generator
        self.discriminators = discriminators
        self.gammas = tuple(gammas)
        self.damsm_weight = damsm_weight
        self.damsm_warmup_steps = damsm_warmup_steps
        self.kl_weight = kl_weight
        self.gradient_penalty = gradient_penalty
        self.diversity_weight = diversity_weight
        self.diversity_limit = diversity_limit
        self.ema_decay = ema_decay
        self.seed = seed
        for frozen in (text_encoder, image_encoder, ema_generator):
            frozen.trainable = False
        self.averages = {}

    def compile(self, generator_optimizer, discriminator_optimizers, jit_compile=False):
        """Creates the optimizers' variables, one optimizer for each discriminator."""
        super().compile(optimizer=None, jit_compile=jit_compile)
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizers = list(discriminator_optimizers)
        generator_optimizer.build(self.generator.trainable_variables)
        for optimizer, network in zip(
            self.discriminator_optimizers, self.discriminators, strict=True
        ):
            optimizer.build(network.trainable_variables)
        stages = range(len(self.discriminators))
        names = [f"d_loss_{i}" for i in stages] + [f"g_loss_{i}" for i in stages]
        names += ["g_loss", "kl_loss", "word_loss", "sentence_loss", "diversity"]
        self.averages = running_means(*names)

    @property
    def metrics(self):
        return list(self.averages.values())

    def call(self, tokens, noise, eps):
        """Images of the averaged generator for token ids `[B, T]`; see `Generator.call`."""
        words, sentence = self.text_encoder(tokens)
        return self.ema_generator(sentence, words, tokens != 0, noise, eps)

    def train_step(self, batch):
        texts, wrong_sentence, false_negatives = self._encode(batch)
        words, sentence, mask = (t[: batch["tokens"].shape[0]] for t in texts)
        with tf.GradientTape() as tape:
            fake, spread = self._generate(sentence, words, mask, batch["index"])
            with tape.stop_recording():
                logs = self._train_discriminators(
                    batch["images"], fake["images"], sentence, wrong_sentence
                )
            losses = self._generator_losses(fake, sentence)
            word_loss, sentence_loss = self._matching_losses(
                texts, fake["images"][-1], batch["class_id"], false_negatives
            )
            kl = kl_loss(fake["mu"], fake["logvar"])
            loss = tf.add_n(list(losses.values())) + self.kl_weight * kl
            loss += self._damsm_weight() * (word_loss + sentence_loss)
            loss -= self.diversity_weight * spread
        variables = self.generator.trainable_variables
        self.generator_optimizer.apply(tape.gradient(loss, variables), variables)
        self._update_average()
        logs |= losses
        logs |= {"word_loss": word_loss, "sentence_loss": sentence_loss, "kl_loss": kl}
        return update_averages(self.averages, {**logs, "diversity": spread, "g_loss": loss})

    def _generate(self, sentence, words, mask, index):
        """Images of every caption, and how far twins of the first captions are apart.

        Twins are images of the same caption from other noise; they serve the diversity alone.
        """
        rows = index.shape[0]
        twins = rows // 4 if self.diversity_weight else 0
        noise, eps = self._draw(index, rows + twins)
        texts = (tf.concat([t, t[:twins]], axis=0) for t in (sentence, words, mask))
        drawn = self.generator(*texts, noise, eps, training=True)
        fake = tf.nest.map_structure(lambda t: t[:rows], drawn)
        if not twins:
            return fake, 0.0
        images = drawn["images"][-1]
        return fake, diversity(
            images[:twins], images[rows:], noise[:twins], noise[rows:], self.diversity_limit
        )

    def _encode(self, batch):
        """Encodes the captions and, where the batch has them, the wrong captions behind them.

        Returns:
            ((words, sentences, mask), wrong sentence of each image or None, which of the wrong
            captions are no wrong captions or None).
        """
        tokens = batch["tokens"]
        if "wrong_tokens" not in batch:
            words, sentences = self.text_encoder(tokens)
            return (words, sentences, tokens != 0), None, None
        rows = tokens.shape[0]
        unchanged = tf.reduce_all(tokens == batch["wrong_tokens"], axis=1)
        tokens = tf.concat([tokens, batch["wrong_tokens"]], axis=0)
        words, sentences = self.text_encoder(tokens)
        another = tf.roll(sentences[:rows], -1, axis=0)
        wrong = tf.where(unchanged[:, None], another, sentences[rows:])
        return (words, sentences, tokens != 0), wrong, unchanged

    def _draw(self, index, rows):
        """Noise `[rows, Z]` and eps `[rows, C]`, a function of the seed and the first index."""
        seeds = tf.random.split(tf.stack([tf.cast(self.seed, tf.int64), index[0]]), 2)
        noise = tf.random.stateless_normal([rows, self.generator.noise_dim], seeds[0])
        return noise, tf.random.stateless_normal([rows, self.generator.condition_dim], seeds[1])

    def _train_discriminators(self, real_images, fake_images, sentence, wrong_sentence):
        """One step of every discriminator; returns their losses by name.

        Each image's mismatch is the next image's sentence; a wrong sentence of its own joins it.
        """
        logs = {}
        for i, network in enumerate(self.discriminators):
            with tf.GradientTape() as tape:
                real, real_matched, penalty = self._judge_real(network, real_images[i], sentence)
                fake = network.features(fake_images[i], training=True)
                fake_matched = network.conditional(fake, sentence, training=True)
                mismatched = [network.conditional(real[:-1], sentence[1:], training=True)]
                if wrong_sentence is not None:
                    mismatched.append(network.conditional(real, wrong_sentence, training=True))
                loss = discriminator_loss(
                    network.unconditional(real, training=True),
                    real_matched,
                    network.unconditional(fake, training=True),
                    fake_matched,
                    *mismatched,
                )
                total = loss + self.gradient_penalty * penalty
            variables = network.trainable_variables
            self.discriminator_optimizers[i].apply(tape.gradient(total, variables), variables)
            logs[f"d_loss_{i}"] = loss
        return logs

    def _judge_real(self, network, images, sentence):
        """Features and matched logits of real images, and their gradient penalty."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch((images, sentence))
            features = network.features(images, training=True)
            matched = network.conditional(features, sentence, training=True)
        if not self.gradient_penalty:
            return features, matched, 0.0
        return (
            features,
            matched,
            matching_aware_penalty(*tape.gradient(matched, (images, sentence))),
        )

    def _generator_losses(self, fake, sentence):
        """The adversarial loss of every stage, by name."""
        losses = {}
        for i, (network, images) in enumerate(
            zip(self.discriminators, fake["images"], strict=True)
        ):
            losses[f"g_loss_{i}"] = generator_loss(*network(images, sentence, training=True))
        return losses

    def _matching_losses(self, texts, images, class_ids, false_negatives):
        """DAMSM's word and sentence loss of the last images; 0 where they have no weight."""
        if not self.damsm_weight:
            return 0.0, 0.0
        codes = self.image_encoder(images)
        losses = damsm_losses(texts, codes, class_ids, self.gammas, false_negatives)
        return tuple(
            losses[f"{name}_image_to_text"] + losses[f"{name}_text_to_image"]
            for name in ("word", "sentence")
        )

    def _damsm_weight(self):
        if not self.damsm_warmup_steps:
            return self.damsm_weight
        step = tf.cast(self.generator_optimizer.iterations, keras.config.floatx())
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
