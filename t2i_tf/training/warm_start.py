"""Starts a new run from the encoders of a DAMSM and, optionally, from a trained GAN."""

import inspect
import itertools
from pathlib import Path

import ml_collections
import tensorflow as tf

from data_pipeline.support.errors import UserError
from data_pipeline.text.vocabulary import Vocabulary
from t2i_tf.models import model_directory
from t2i_tf.networks.discriminator import Discriminator
from t2i_tf.networks.generator import Generator
from t2i_tf.training.attngan import AttnGAN
from t2i_tf.training.machinery import checkpoints

# A trunk's origin and its way to resize images: a GAN keeps to what its DAMSM's config says.
_DAMSM_DECIDES = ("weights", "align_corners")


def with_encoders(
    directory: str | Path,
    damsm: model_directory.ModelDirectory,
    config: ml_collections.ConfigDict,
    vocabulary: Vocabulary,
) -> ml_collections.ConfigDict:
    """The config of a run that uses a DAMSM: the DAMSM decides how pictures reach its encoder.

    Args:
        directory: The DAMSM's directory, for messages.
        damsm: The DAMSM.
        config: The run's.
        vocabulary: The run's.

    Raises:
        UserError: The DAMSM has another vocabulary, or encoders of other sizes.
    """
    if damsm.vocabulary != vocabulary:
        raise UserError(f"the DAMSM {directory} was trained with another vocabulary than the data")
    for section in ("text_encoder", "image_encoder"):
        theirs, ours = (
            {key: value for key, value in c[section].items() if key not in _DAMSM_DECIDES}
            for c in (damsm.config, config)
        )
        if theirs != ours:
            raise UserError(f"the DAMSM {directory} has {section}={theirs}, this config {ours}")
    adopted = config.copy_and_resolve_references()
    adopted.image_encoder = damsm.config.image_encoder
    return adopted


def starting_point(
    directory: str | Path | None,
    config: ml_collections.ConfigDict,
    vocabulary: Vocabulary,
    workdir: str | Path,
) -> Path | None:
    """The model directory whose GAN a new run starts from; it may have fewer stages.

    A run that has a checkpoint resumes from it instead, and says so.

    Args:
        directory: The model directory, a run's `--workdir`, or None.
        config: The new run's.
        vocabulary: The new run's.
        workdir: The new run's folder.

    Returns:
        The model directory; None if the run does not start from one.

    Raises:
        UserError: The directory has no generator, or one of other sizes or another vocabulary.
    """
    if not directory:
        return None
    if tf.train.latest_checkpoint(Path(workdir) / "checkpoints"):
        print(f"{workdir} has a checkpoint, which goes before {directory}")
        return None
    directory = model_directory.find(directory)
    source, words = model_directory.describe(directory, need=("generator",))
    networks = {"generator": Generator}
    if _has_discriminators(directory) or _checkpoint(directory):
        networks["discriminator"] = Discriminator
    differences = [
        line for name in networks for line in _differences(name, networks[name], source, config)
    ]
    theirs, ours = source.get("text_encoder", {}).get("units"), config.text_encoder.units
    if theirs != ours:
        differences.append(f"text_encoder.units ({theirs}, here {ours})")
    if words != vocabulary:
        differences.append(f"the vocabulary ({len(words)} words, here {len(vocabulary)})")
    if differences:
        raise UserError(
            f"{directory} cannot start this run: it differs in {', '.join(differences)}"
        )
    return directory


def start_from(directory: Path, model: AttnGAN) -> None:
    """Copies the GAN of a `starting_point` into a model; stages that it lacks keep their own start.

    The discriminators come from the model directory or, where it is a run's, from its last
    checkpoint. A directory that has none leaves the model's as they are.
    """
    generator = model_directory.load(directory).generator
    for theirs, ours in zip(_parts(generator), _parts(model.generator), strict=False):
        ours.set_weights(theirs.get_weights())
    model.ema_generator.set_weights(model.generator.get_weights())
    known = model.discriminators[: len(generator.image_sizes)]
    checkpoint = _checkpoint(directory)
    if _has_discriminators(directory):
        for discriminator in known:
            model_directory.load_weights(discriminator, directory)
    elif checkpoint:
        checkpoints.read(checkpoint, known)


def _parts(generator):
    """A generator's parts that have weights; more stages only add to the end."""
    stages = itertools.zip_longest(generator.heads, generator.refine)
    later = [part for pair in stages for part in pair if part is not None]
    return [generator.condition, generator.initial, *later]


def _has_discriminators(directory):
    return model_directory.weights_file(directory, "discriminator_0").is_file()


def _checkpoint(directory):
    return tf.train.latest_checkpoint(directory.parent / "checkpoints")


def _differences(name, network_class, source, config):
    """The options in which a network cannot start from another; older configs lack some."""
    defaults, theirs = inspect.signature(network_class).parameters, source.get(name, {})
    for option, ours in config[name].items():
        value = theirs.get(option, defaults[option].default)
        grows = option == "stages" and theirs.get("image_heads", "all") == "all" and value < ours
        if value != ours and not grows:
            yield f"{name}.{option} ({value}, here {ours})"
