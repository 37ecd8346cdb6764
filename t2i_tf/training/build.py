"""Builds compiled models from a config; only this module knows both."""

import keras
from ml_collections import ConfigDict

from data_pipeline.support.errors import UserError
from t2i_tf.networks import build
from t2i_tf.networks.layers import Blocks
from t2i_tf.training.attngan import AttnGAN
from t2i_tf.training.damsm import DAMSM
from t2i_tf.training.machinery import replicas
from t2i_tf.training.machinery.keras_internals import all_layers
from t2i_tf.training.machinery.optimizers import FlooredSchedule, FusedAdam, LinearDecay
from t2i_tf.training.options import gan_options


def build_damsm(config: ConfigDict, vocabulary_size: int) -> DAMSM:
    """A compiled DAMSM to pretrain.

    Raises:
        UserError: A pretrained trunk's weights cannot be downloaded or read.
    """
    train = config.train
    with build.precision(train.precision):
        model = DAMSM(
            build.text_encoder(config, vocabulary_size),
            build.image_encoder(config, batch_statistics=train.trunk_statistics == "batch"),
            image_size=config.data.image_size,
            gammas=gammas(config),
            clip_norm=train.clip_norm,
            name="damsm",
        )
    _synchronize(train, [model.image_encoder])
    schedule = keras.optimizers.schedules.ExponentialDecay(
        train.learning_rate, train.decay_steps, train.decay_rate, staircase=True
    )
    schedule = FlooredSchedule(schedule, train.learning_rate / 10)
    adam = _adam(train, schedule, "optimizer", train.adam_restart_steps or None)
    model.compile(adam, **_compilation(train))
    return model


def build_attngan(
    config: ConfigDict,
    encoders: tuple[keras.Model, keras.Model],
    blocks: Blocks | None = None,
) -> AttnGAN:
    """A compiled AttnGAN around the frozen encoders of a trained DAMSM.

    Args:
        config: The run's config.
        encoders: (text encoder, image encoder), built, with their weights. The model trains with a
            copy of the image encoder, see `ImageEncoder.folded`.
        blocks: Makes the networks' parts; by default in the form for training.

    Raises:
        UserError: The config's sizes do not make a network.
    """
    train, options = config.train, gan_options(config)
    try:
        with build.precision(train.precision):
            generator = build.generator(config, blocks=blocks)
            averaged = build.generator(config, "ema_generator", blocks)
            discriminators = build.discriminators(config, generator.image_sizes, blocks)
    except ValueError as error:
        raise UserError(f"the config does not fit: {str(error).splitlines()[0]}") from error
    averaged.set_weights(generator.get_weights())
    _synchronize(train, [generator, *discriminators])
    text_encoder, image_encoder = encoders
    model = AttnGAN(
        text_encoder,
        image_encoder.folded(),
        generator,
        averaged,
        discriminators,
        options,
        gammas=gammas(config),
        seed=config.seed,
        name="attngan",
    )

    def adam(learning_rate, name, updates=1):
        start, end = train.decay_start * updates, train.steps * updates
        return _adam(train, LinearDecay(learning_rate, start, end), name)

    model.compile(
        adam(train.generator_learning_rate, "generator_optimizer", options.generator_steps),
        [
            adam(train.discriminator_learning_rate, f"{discriminator.name}_optimizer")
            for discriminator in discriminators
        ],
        **_compilation(train),
    )
    return model


def gammas(config: ConfigDict) -> tuple[float, float, float]:
    """(gamma1, gamma2, gamma3) of DAMSM."""
    return config.damsm.gamma1, config.damsm.gamma2, config.damsm.gamma3


def _adam(train, schedule, name, restart_every=None):
    # The published code keeps PyTorch's epsilon, a tenth of Keras'.
    optimizer = FusedAdam(schedule, restart_every, beta_1=train.beta_1, epsilon=1e-8, name=name)
    if train.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, name=name)
    return optimizer


def _compilation(train):
    return {"jit_compile": train.jit_compile, "steps_per_execution": train.steps_per_execution}


def _synchronize(train, networks):
    """Lets BatchNorm see the global batch; otherwise the replicas' statistics drift apart."""
    if replicas.count() == 1 or not train.synchronize_batch_norm:
        return
    for network in networks:
        for layer in all_layers(network):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
