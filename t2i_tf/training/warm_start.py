"""Starts a new run from the encoders of a DAMSM and, optionally, from a trained GAN."""

import inspect
from pathlib import Path

import ml_collections
import tensorflow as tf

from data_pipeline.support.errors import UserError
from data_pipeline.vocabulary import Vocabulary
from t2i_tf.models import model_directory
from t2i_tf.networks.discriminator import Discriminator
from t2i_tf.networks.generator import Generator
from t2i_tf.training.attngan import AttnGAN

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
    if damsm.vocabulary.sha256 != vocabulary.sha256:
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
    """The model directory whose GAN a new run starts from.

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
    if _has_discriminators(directory):
        networks["discriminator"] = Discriminator
    differences = [
        line for name in networks for line in _differences(name, networks[name], source, config)
    ]
    theirs, ours = source.get("text_encoder", {}).get("units"), config.text_encoder.units
    if theirs != ours:
        differences.append(f"text_encoder.units ({theirs}, here {ours})")
    if words.sha256 != vocabulary.sha256:
        differences.append(f"the vocabulary ({len(words)} words, here {len(vocabulary)})")
    if differences:
        raise UserError(
            f"{directory} cannot start this run: it differs in {', '.join(differences)}"
        )
    return directory


def start_from(directory: Path, model: AttnGAN) -> None:
    """Copies the generator, and the discriminators if any, of a `starting_point` into a model."""
    model_directory.load_weights(model.generator, directory)
    model.ema_generator.set_weights(model.generator.get_weights())
    if _has_discriminators(directory):
        for discriminator in model.discriminators:
            model_directory.load_weights(discriminator, directory)


def _has_discriminators(directory):
    return model_directory.weights_file(directory, "discriminator_0").is_file()


def _differences(name, network_class, source, config):
    """The options of a network that differ between the configs; older configs lack some."""
    defaults, theirs = inspect.signature(network_class).parameters, source.get(name, {})
    for option, ours in config[name].items():
        value = theirs.get(option, defaults[option].default)
        if value != ours:
            yield f"{name}.{option} ({value}, here {ours})"
