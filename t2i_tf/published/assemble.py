"""Makes a model from published PyTorch files: reads them, compares them, assigns their weights."""

import contextlib
import dataclasses
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
from ml_collections import ConfigDict

from data_pipeline.support.errors import UserError
from data_pipeline.text.vocabulary import Vocabulary
from t2i_tf.models.model_directory import ModelDirectory
from t2i_tf.networks import build
from t2i_tf.networks.initializers import blank
from t2i_tf.published import sizes as reference_sizes
from t2i_tf.published import weights as reference_weights
from t2i_tf.published.torch_files import read_state_dict

ENCODERS_SIZE = 299  # pixels of the pictures that the published encoders were trained on
GAMMAS = {"gamma1": 4.0, "gamma2": 5.0, "gamma3": 10.0}  # DAMSM's, as published


class FileProblems:
    """Collects the problems of several files, to report them together."""

    def __init__(self):
        self.found: list[str] = []

    @contextlib.contextmanager
    def of(self, where: object) -> Iterator[None]:
        """Notes a `UserError` raised within as a problem of `where`."""
        try:
            yield
        except UserError as error:
            self.found.append(f"{where}: {error}")

    def raise_if_any(self) -> None:
        """Raises a `UserError` if there are problems; a single problem takes one line."""
        if len(self.found) == 1:
            raise UserError(self.found[0])
        if self.found:
            lines = textwrap.indent("\n".join(self.found), "  ")
            raise UserError(f"{len(self.found)} problems, nothing was written:\n{lines}")


@dataclasses.dataclass
class PublishedFile:
    """A .pth file.

    Attributes:
        network: What it should hold: `text_encoder`, `image_encoder`, `generator` or
            `discriminator`.
        path: Where it is.
        state: Its arrays by key, from reading to assignment; None before and after.
        sizes: The network's sizes, once they are read off the arrays.
    """

    network: str
    path: Path
    state: reference_sizes.State | None = None
    sizes: reference_sizes.Sizes | None = None

    def __str__(self):
        return f"{self.network} {self.path}"

    def described(self) -> str:
        """The sizes in words."""
        return ", ".join(f"{name} {value}" for name, value in self.sizes.config.items())


def read(
    files: Sequence[PublishedFile], captions: str | Path | None, words: str | Path | None = None
) -> Vocabulary:
    """Reads the files' state dicts and the vocabulary.

    Args:
        files: The .pth files.
        captions: AttnGAN's captions.pickle, or None to read `words`.
        words: A text file of one word per line.

    Raises:
        UserError: Some files cannot be read; the message names all of them.
    """
    problems = FileProblems()
    for file in files:
        with problems.of(file):
            file.state = read_state_dict(file.path)
    with problems.of("captions" if captions else "vocabulary"):
        vocabulary = (
            Vocabulary.from_captions_pickle(captions) if captions else Vocabulary.load(words)
        )
    problems.raise_if_any()
    return vocabulary


def assemble(
    files: Sequence[PublishedFile],
    vocabulary: Vocabulary,
    *,
    name: str,
    max_words: int,
    align_corners: bool | None = None,
) -> ModelDirectory:
    """Makes a model from published files.

    Args:
        files: One text encoder, at most one image encoder and one generator, and no discriminator
            or one for each of the generator's images, the smallest first; their states are read.
        vocabulary: The words behind the text encoder's ids.
        name: The model's name.
        max_words: Words of the longest caption that the model reads.
        align_corners: See `resize_bilinear`; None derives it from the image encoder's file.

    Raises:
        UserError: Files hold other networks than expected, lack keys or do not fit together. The
            message names everything that is wrong with any of them.
    """
    problems = FileProblems()
    for file in files:
        with problems.of(file):
            file.sizes = reference_sizes.of(file.network, file.state)
    known = [file for file in files if file.sizes]
    for file in known:
        if file.network == "image_encoder":
            file.sizes.config["weights"] = file.path.name
            if align_corners is not None:
                file.sizes.config["align_corners"] = align_corners
    problems.found += _disagreements(known, vocabulary)
    networks = {}
    for file in known:
        with problems.of(file):
            networks.setdefault(file.network, []).append(_network(file, max_words))
    problems.raise_if_any()
    config = ConfigDict({file.network: file.sizes.config for file in files})
    drawing = [file for file in files if file.network == "generator"]
    size = drawing[0].sizes.image_sizes[-1] if drawing else ENCODERS_SIZE
    config.name = name
    config.data = {"image_size": size, "max_words": max_words}
    config.damsm = GAMMAS
    return ModelDirectory(
        config,
        vocabulary,
        *networks["text_encoder"],
        *networks.get("image_encoder", [None]),
        *networks.get("generator", [None]),
        networks.get("discriminator", []),
    )


def _disagreements(files, vocabulary):
    """Describes what does not fit together, one line each."""
    found = []
    by_network = {file.network: file for file in files}
    text_encoder, generator = by_network.get("text_encoder"), by_network.get("generator")
    if text_encoder and text_encoder.sizes.vocabulary_size not in (None, len(vocabulary)):
        found.append(
            f"{text_encoder}: knows {text_encoder.sizes.vocabulary_size} words (encoder.weight), "
            f"the vocabulary has {len(vocabulary)}"
        )
    with_units = [file for file in files if file.sizes.units]
    if len({file.sizes.units for file in with_units}) > 1:
        units = ", ".join(f"{file.sizes.units} in {file}" for file in with_units)
        found.append(f"sentence codes differ in length: {units}")
    discriminators = [file for file in files if file.network == "discriminator"]
    if any(file.sizes.config != discriminators[0].sizes.config for file in discriminators):
        found.append(
            "the discriminators differ: "
            + ", ".join(
                "filters={filters}, unconditional={unconditional} in ".format(**file.sizes.config)
                + str(file.path)
                for file in discriminators
            )
        )
    taken = [size for file in discriminators for size in file.sizes.image_sizes]
    if generator and discriminators and taken != list(generator.sizes.image_sizes):
        found.append(
            f"the discriminators take images of {taken} px, in this order; "
            f"{generator} draws {list(generator.sizes.image_sizes)}"
        )
    return found


def _network(file: PublishedFile, max_words: int) -> keras.Model:
    """A network of the file's own sizes with its weights."""
    config = ConfigDict(
        {
            "data": {"max_words": max_words},
            "text_encoder": {"units": file.sizes.units or 2 * reference_sizes.WIDTH},
            file.network: file.sizes.config,
        }
    )
    try:
        with blank():
            network = _BUILD[file.network](config, file.sizes)
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"its sizes make no network ({file.described()}): {reason}") from error
    getattr(reference_weights, f"assign_{file.network}")(network, file.state)
    file.state = None  # COCO's discriminators take most of a gigabyte.
    return network


_BUILD = {
    "text_encoder": lambda config, sizes: build.text_encoder(config, sizes.vocabulary_size or 1),
    "image_encoder": lambda config, _: build.image_encoder(config, pretrained=False),
    "generator": lambda config, _: build.generator(config),
    "discriminator": lambda config, sizes: build.discriminators(config, sizes.image_sizes)[0],
}
