"""The model directory: the form of a trained model on disk, which every command takes.

config.json                  the resolved config of the run, the vocabulary's hash and its tokenizer
vocabulary.txt               one word per line, line number = token id
text_encoder.weights.h5
image_encoder.weights.h5     DAMSM's other half; absent where only the generator was published
generator.weights.h5         averaged weights; absent in a DAMSM directory
discriminator_0.weights.h5   and so on, the smallest image's first; where they were published
README.md                    the model card
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import h5py
import keras
import ml_collections
import numpy as np

from data_pipeline.support.errors import UserError
from data_pipeline.support.files import check_room, write_text
from data_pipeline.support.json_text import parse_json
from data_pipeline.support.scratch import appearing
from data_pipeline.text.vocabulary import Vocabulary
from data_pipeline.text.vocabulary import load as load_vocabulary
from t2i_tf.networks import build
from t2i_tf.networks.discriminator import Discriminator
from t2i_tf.networks.generator import Generator
from t2i_tf.networks.image_encoder import ImageEncoder
from t2i_tf.networks.initializers import blank
from t2i_tf.networks.layers import Blocks
from t2i_tf.networks.text_encoder import TextEncoder

_BUNDLED = Path(__file__).parents[1] / "bundled"
# Models that come with the package, the default first.
PRESETS = {"bundled": _BUNDLED / "birds64", "bundled:64": _BUNDLED / "birds64"}
CONFIG, VOCABULARY, CARD = "config.json", "vocabulary.txt", "README.md"
NETWORKS = ("text_encoder", "image_encoder", "generator")
VOCABULARY_HASH, TOKENIZER = "vocabulary_sha256", "tokenizer"
MOST_WORDS = 1024  # that a model may read of a caption; memory is taken for all of them
_H5_ERRORS = (OSError, ValueError, KeyError, RuntimeError)  # that h5py raises for a damaged file
BYTES = 5  # of a weights file per number, including HDF5's overhead


@dataclasses.dataclass
class ModelDirectory:
    """A trained model in memory.

    Attributes:
        config: The resolved config.
        vocabulary: The `Vocabulary` of the token ids.
        text_encoder: A built `TextEncoder`.
        image_encoder: A built `ImageEncoder`, or None where it was not asked for.
        generator: A built `Generator`, or None in a DAMSM directory or where not asked for.
        discriminators: The discriminators to save, the smallest image's first; `load` does not load
            them.
    """

    config: ml_collections.ConfigDict
    vocabulary: Vocabulary
    text_encoder: TextEncoder
    image_encoder: ImageEncoder | None = None
    generator: Generator | None = None
    discriminators: Sequence[Discriminator] = ()


def weights_file(directory: str | Path, network: str) -> Path:
    """Where a network's weights lie in a model directory."""
    return Path(directory) / f"{network}.weights.h5"


def find(directory: str | Path) -> Path:
    """The model directory that is meant: a preset's, `model/` in a run's folder, or `directory`."""
    directory = PRESETS.get(str(directory), Path(directory))
    if not (directory / VOCABULARY).is_file() and (directory / "model" / CONFIG).is_file():
        return directory / "model"
    return directory


def save(
    directory: str | Path, model: ModelDirectory, card: str, half_precision: bool = False
) -> None:
    """Writes a model directory; an older one there is replaced only once the new one is whole.

    Args:
        directory: The directory to write.
        model: What to write; networks that are None are left out.
        card: The model card, Markdown.
        half_precision: Whether to round the weights to float16, which `load` reads like others.

    Raises:
        ValueError: A weight is too large for float16.
        OSError: The disk is full; an older directory is still there.
    """
    networks = {name: getattr(model, name) for name in NETWORKS if getattr(model, name)}
    networks |= {f"discriminator_{i}": network for i, network in enumerate(model.discriminators)}
    with appearing(Path(directory), replace=True) as folder:
        config = {
            **model.config.to_dict(),
            VOCABULARY_HASH: model.vocabulary.sha256,
            TOKENIZER: model.vocabulary.tokenizer,
        }
        write_config(folder / CONFIG, ml_collections.ConfigDict(config))
        model.vocabulary.save(folder / VOCABULARY)
        (folder / CARD).write_text(card, encoding="utf-8")
        check_room(folder, sum(BYTES * network.count_params() for network in networks.values()))
        for name, network in networks.items():
            path = weights_file(folder, name)
            network.save_weights(path)
            if half_precision:
                _halve(path)


def _halve(path):
    """Rewrites a weights file with its float32 numbers as float16."""
    whole = path.rename(path.with_suffix(".float32"))

    def copy(name, item):
        if isinstance(item, h5py.Group):
            target.require_group(name).attrs.update(item.attrs)
            return
        values = item[()]
        if values.dtype == np.float32:
            with np.errstate(over="ignore"):  # Refused below.
                values = values.astype(np.float16)
            if not np.all(np.isfinite(values)):
                raise ValueError(f"{name} in {path.name} has values that float16 cannot hold")
        target.create_dataset(name, data=values).attrs.update(item.attrs)

    with h5py.File(whole) as source, h5py.File(path, "w") as target:
        target.attrs.update(source.attrs)
        source.visititems(copy)
    whole.unlink()


def describe(
    directory: str | Path, need: tuple[str, ...] = ()
) -> tuple[ml_collections.ConfigDict, Vocabulary]:
    """The config and the vocabulary of a model directory.

    Args:
        directory: As `find` returns it.
        need: The networks besides the text encoder whose weights must be there.

    Raises:
        UserError: The folder is no model directory, lacks a needed part, or has other words than
            the model was trained with.
    """
    if not directory.is_dir():
        raise UserError(
            f"{directory} is no model directory: there is no such folder (the package's models: "
            f"{', '.join(PRESETS)})"
        )
    names = [CONFIG, VOCABULARY, *(weights_file("", n).name for n in ("text_encoder", *need))]
    missing = [name for name in names if not (directory / name).is_file()]
    if missing:
        raise UserError(f"{directory} is no model directory: it lacks {', '.join(missing)}")
    config = read_config(directory / CONFIG)
    # Older models lack both, and read words.
    expected, tokenizer = config.get(VOCABULARY_HASH), config.get(TOKENIZER, Vocabulary.tokenizer)
    for name in {VOCABULARY_HASH, TOKENIZER} & set(config):
        del config[name]
    vocabulary = load_vocabulary(directory / VOCABULARY, tokenizer)
    if expected not in (None, vocabulary.sha256):
        raise UserError(
            f"{directory / VOCABULARY} is not the vocabulary that the model was trained with: "
            f"its SHA-256 differs from the one in {CONFIG}"
        )
    return config, vocabulary


def load(
    directory: str | Path,
    need: tuple[str, ...] = ("generator",),
    unroll: bool = False,
    blocks: Blocks | None = None,
    max_words: int | None = None,
) -> ModelDirectory:
    """Loads a model directory.

    Args:
        directory: A preset's name, a model directory, or a run's folder that holds one as `model/`.
        need: The networks to load besides the text encoder; the others stay None.
        unroll: See `TextEncoder`.
        blocks: Makes the generator's parts; by default in the form for training. Other blocks must
            have the same weights in the same places.
        max_words: Words that the model reads of a caption; by default those of its config.

    Raises:
        UserError: The folder is no model directory, lacks a needed part, or its config does not
            describe the networks of its weights.
    """
    directory = find(directory)
    config, vocabulary = describe(directory, need)
    make = {
        "text_encoder": lambda: build.text_encoder(config, len(vocabulary), unroll),
        "image_encoder": lambda: build.image_encoder(config, pretrained=False),
        "generator": lambda: build.generator(config, blocks=blocks),
    }
    networks, path = {}, weights_file(directory, "text_encoder")
    try:
        if max_words:
            config.data.max_words = max_words
        if not 1 <= config.data.max_words <= MOST_WORDS:
            raise ValueError(f"max_words is {config.data.max_words}, of at most {MOST_WORDS}")
        for name in ("text_encoder", *need):
            path = weights_file(directory, name)
            shapes = _shapes(path)
            for part in ("stages", "residual_blocks"):  # Each has weights of its own.
                if config.get(name, {}).get(part, 0) > len(shapes):
                    raise ValueError(f"{part} is {config[name][part]}, for {len(shapes)} weights")
            with blank(shapes):
                networks[name] = make[name]()
            load_weights(networks[name], directory)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{directory / CONFIG} does not describe a model: {reason} (for {path.name})"
        ) from error
    if "generator" in need and networks["generator"].image_sizes[-1] != config.data.image_size:
        raise UserError(
            f"{directory / CONFIG}: data.image_size is {config.data.image_size}, but the generator "
            f"draws {networks['generator'].image_sizes[-1]} px"
        )
    return ModelDirectory(config, vocabulary, **networks)


def load_weights(network: keras.Model, directory: str | Path) -> None:
    """Reads a built network's weights from a model directory.

    Raises:
        UserError: The file does not fit the network that config.json and vocabulary.txt describe,
            or holds NaN or infinity.
    """
    path = weights_file(directory, network.name)
    try:
        network.load_weights(path)
    except _H5_ERRORS as error:
        reason = " ".join(str(error).split("List of objects")[0].split())
        raise UserError(
            f"{path} does not fit the network that {CONFIG} and {VOCABULARY} beside it describe: "
            f"{reason}"
        ) from error
    for weight in network.weights:
        if not np.all(np.isfinite(weight)):
            raise UserError(
                f"{path}: {weight.path} holds numbers that are not finite: the file is damaged or "
                "its training diverged; take an earlier model"
            )


def _shapes(path):
    """The shapes of all arrays in a weights file."""
    shapes = []
    try:
        with h5py.File(path) as file:
            file.visititems(lambda _, item: shapes.append(getattr(item, "shape", None)))
    except _H5_ERRORS as error:
        raise UserError(f"{path} is damaged or no weights file: {error}") from error
    return [shape for shape in shapes if shape is not None]


def read_config(path: str | Path) -> ml_collections.ConfigDict:
    """Reads a resolved config.

    Raises:
        UserError: The file is not JSON or holds no names with values.
    """
    try:
        values = parse_json(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} is no config: it should hold names with values")
    return ml_collections.ConfigDict(values)


def write_config(path: str | Path, config: ml_collections.ConfigDict) -> None:
    """Writes a resolved config as JSON, whole or not at all."""
    write_text(path, json.dumps(config.to_dict(), indent=2) + "\n")
