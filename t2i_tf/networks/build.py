"""Builds networks from a config."""

import contextlib
from collections.abc import Iterator, Sequence

import keras
from ml_collections import ConfigDict

from data_pipeline.support.errors import UserError
from t2i_tf.networks.discriminator import Discriminator
from t2i_tf.networks.generator import Generator
from t2i_tf.networks.image_encoder import ImageEncoder, build_image_encoder
from t2i_tf.networks.layers import Blocks
from t2i_tf.networks.text_encoder import TextEncoder


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Layers made inside compute by this dtype policy: `"float32"`, `"mixed_bfloat16"`, ..."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def text_encoder(config: ConfigDict, vocabulary_size: int, unroll: bool = False) -> TextEncoder:
    """The text encoder of `config.text_encoder`, built; always in full precision."""
    with precision(keras.config.floatx()):
        network = TextEncoder(
            vocabulary_size, **config.text_encoder, unroll=unroll, name="text_encoder"
        )
        network(keras.Input((config.data.max_words,), dtype="int32"))
    return network


def image_encoder(
    config: ConfigDict, pretrained: bool = True, batch_statistics: bool = False
) -> ImageEncoder:
    """The image encoder of `config.image_encoder`, built.

    Args:
        config: The run's config.
        pretrained: Whether a pretrained trunk's weights are fetched; False leaves them random, for
            weights that are loaded afterwards.
        batch_statistics: See `ImageEncoder`.

    Raises:
        UserError: The pretrained weights cannot be downloaded or read.
    """
    options = dict(config.image_encoder)
    if options["kind"] == "inception_v3" and not pretrained:
        options["weights"] = "random"
    try:
        network = build_image_encoder(
            units=config.text_encoder.units,
            batch_statistics=batch_statistics,
            name="image_encoder",
            **options,
        )
    except (OSError, ValueError) as error:
        if not pretrained:
            raise
        reason = str(error).splitlines()[0]
        raise UserError(
            f"image_encoder.weights={options.get('weights')}: {reason}; name a weights file of "
            "keras.applications.InceptionV3(include_top=False) there"
        ) from error
    except Exception as error:
        if "fetch failure" not in str(error):
            raise
        raise UserError(
            f"{error}; download the file elsewhere and name it as image_encoder.weights"
        ) from error
    network(keras.Input((network.input_size, network.input_size, 3)))
    return network


def generator(
    config: ConfigDict, name: str = "generator", blocks: Blocks | None = None
) -> Generator:
    """The generator of `config.generator`, built; made of `blocks` if they are given."""
    network = Generator(**config.generator, blocks=blocks, name=name)
    return built(network, config.text_encoder.units, config.data.max_words)


def built(network: keras.Model, units: int, words: int) -> Generator:
    """Creates a generator's weights, for sentences `[B, units]` of `words` words; returns it."""
    network(
        keras.Input((units,)),
        keras.Input((words, units)),
        keras.Input((words,), dtype="bool"),
        keras.Input((network.noise_dim,)),
        keras.Input((network.condition_dim,)),
    )
    return network


def discriminators(
    config: ConfigDict, image_sizes: Sequence[int], blocks: Blocks | None = None
) -> list[Discriminator]:
    """One built discriminator for each image size; made of `blocks` if they are given."""
    networks = []
    for i, size in enumerate(image_sizes):
        network = Discriminator(
            size, **config.discriminator, blocks=blocks, name=f"discriminator_{i}"
        )
        network(keras.Input((size, size, 3)), keras.Input((config.text_encoder.units,)))
        networks.append(network)
    return networks
