"""From a config to built networks: the only place where both are known."""

import contextlib

import keras

from data_pipeline.errors import UserError
from t2i_tf import replicas
from t2i_tf.attngan import AttnGAN
from t2i_tf.damsm import DAMSM
from t2i_tf.networks.discriminator import Discriminator
from t2i_tf.networks.generator import Generator
from t2i_tf.networks.image_encoder import build_image_encoder
from t2i_tf.networks.text_encoder import TextEncoder
from t2i_tf.optimizers import FusedAdam


@contextlib.contextmanager
def precision(policy):
    """Layers made within compute as the policy says: `"float32"`, `"mixed_bfloat16"`, ..."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def blank():
    """Networks made within start from zeros: for those whose weights are loaded right after.

    The orthogonal kernels of a discriminator of 256 px take half a minute and a gigabyte to draw.
    """
    zeros = keras.initializers.Zeros
    with keras.saving.custom_object_scope({"orthogonal": zeros, "glorot_uniform": zeros}):
        yield


def text_encoder(config, vocabulary_size, unroll=False):
    """The text encoder of `config.text_encoder`, built; always in full precision."""
    with precision(keras.config.floatx()):
        network = TextEncoder(
            vocabulary_size, **config.text_encoder, unroll=unroll, name="text_encoder"
        )
        network(keras.Input((config.data.max_words,), dtype="int32"))
    return network


def image_encoder(config, pretrained=True):
    """The image encoder of `config.image_encoder`, built.

    Args:
        config: The run's config.
        pretrained: Whether a pretrained trunk's weights are fetched; False leaves them random, for
            weights that are loaded afterwards.

    Raises:
        UserError: The pretrained weights cannot be had.
    """
    options = dict(config.image_encoder)
    if options["kind"] == "inception_v3" and not pretrained:
        options["weights"] = "random"
    try:
        network = build_image_encoder(
            units=config.text_encoder.units, name="image_encoder", **options
        )
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"image_encoder.weights={options.get('weights')}: {reason}; give a weights file of "
            "keras.applications.InceptionV3(include_top=False) as --config.image_encoder.weights="
        ) from error
    except Exception as error:
        if "fetch failure" not in str(error):
            raise
        raise UserError(
            f"{error}; download the file elsewhere and give --config.image_encoder.weights=<file>"
        ) from error
    network(keras.Input((network.input_size, network.input_size, 3)))
    return network


def generator(config, name="generator"):
    """The generator of `config.generator`, built."""
    units, words = config.text_encoder.units, config.data.max_words
    network = Generator(**config.generator, name=name)
    network(
        keras.Input((units,)),
        keras.Input((words, units)),
        keras.Input((words,), dtype="bool"),
        keras.Input((network.noise_dim,)),
        keras.Input((network.condition_dim,)),
    )
    return network


def discriminators(config, image_sizes):
    """One built discriminator for each image size."""
    networks = []
    for i, size in enumerate(image_sizes):
        network = Discriminator(size, **config.discriminator, name=f"discriminator_{i}")
        network(keras.Input((size, size, 3)), keras.Input((config.text_encoder.units,)))
        networks.append(network)
    return networks


def gammas(config):
    """(gamma1, gamma2, gamma3) of DAMSM."""
    return config.damsm.gamma1, config.damsm.gamma2, config.damsm.gamma3


def damsm(config, vocabulary_size):
    """A compiled DAMSM to pretrain."""
    train = config.train
    with precision(train.precision):
        model = DAMSM(
            text_encoder(config, vocabulary_size),
            image_encoder(config),
            gammas=gammas(config),
            clip_norm=train.clip_norm,
            name="damsm",
        )
    _synchronize(train, [model.image_encoder])
    schedule = keras.optimizers.schedules.ExponentialDecay(
        train.learning_rate, train.decay_steps, train.decay_rate, staircase=True
    )
    schedule = FlooredSchedule(schedule, train.learning_rate / 10)
    model.compile(_adam(train, schedule, "optimizer"), **_compilation(train))
    return model


GAN_OPTIONS = (
    "damsm_weight",
    "damsm_warmup_steps",
    "kl_weight",
    "adversarial_loss",
    "gradient_penalty",
    "r1_penalty",
    "diffaugment",
    "diversity_weight",
    "diversity_limit",
    "generator_steps",
    "ema_decay",
)


def attngan(config, encoders):
    """A compiled AttnGAN around the frozen encoders of a trained DAMSM.

    Args:
        config: The run's config.
        encoders: (text encoder, image encoder), built, with their weights.

    Raises:
        UserError: The config has a value that no network or loss knows.
    """
    try:
        return _attngan(config, encoders)
    except ValueError as error:
        raise UserError(f"the config does not fit: {str(error).splitlines()[0]}") from error


def _attngan(config, encoders):
    train = config.train
    with precision(train.precision):
        network, averaged = generator(config), generator(config, "ema_generator")
        judges = discriminators(config, network.image_sizes)
    averaged.set_weights(network.get_weights())
    _synchronize(train, [network, *judges])
    model = AttnGAN(
        *encoders,
        network,
        averaged,
        judges,
        gammas=gammas(config),
        **{name: train[name] for name in GAN_OPTIONS},
        seed=config.seed,
        name="attngan",
    )

    def adam(learning_rate, name, updates=1):
        start, end = train.decay_start * updates, train.steps * updates
        return _adam(train, LinearDecay(learning_rate, start, end), name)

    model.compile(
        adam(train.generator_learning_rate, "generator_optimizer", train.generator_steps),
        [
            adam(train.discriminator_learning_rate, f"{network.name}_optimizer")
            for network in model.discriminators
        ],
        **_compilation(train),
    )
    return model


def _adam(train, schedule, name):
    # The published code keeps PyTorch's epsilon, a tenth of Keras'.
    optimizer = FusedAdam(schedule, beta_1=train.beta_1, epsilon=1e-8, name=name)
    if train.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, name=name)
    return optimizer


def _compilation(train):
    return {"jit_compile": train.jit_compile, "steps_per_execution": train.steps_per_execution}


def _synchronize(train, networks):
    """Lets BatchNorm see the global batch; without it the replicas' statistics drift apart."""
    if replicas.count() == 1 or not train.synchronize_batch_norm:
        return
    for network in networks:
        for layer in network._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True


@keras.saving.register_keras_serializable("t2i_tf")
class FlooredSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Another schedule that never falls below `floor`."""

    def __init__(self, schedule, floor):
        self.schedule = schedule
        self.floor = floor

    def __call__(self, step):
        return keras.ops.maximum(self.schedule(step), self.floor)

    def get_config(self):
        return {"schedule": self.schedule, "floor": self.floor}


@keras.saving.register_keras_serializable("t2i_tf")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Constant up to step `start`, then in a straight line to zero at step `end`."""

    def __init__(self, learning_rate, start, end):
        self.learning_rate = learning_rate
        self.start = start
        self.end = end

    def __call__(self, step):
        step = keras.ops.cast(step, keras.config.floatx())
        left = (self.end - step) / max(self.end - self.start, 1)
        return self.learning_rate * keras.ops.clip(left, 0.0, 1.0)

    def get_config(self):
        return {"learning_rate": self.learning_rate, "start": self.start, "end": self.end}
