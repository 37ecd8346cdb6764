"""Model cards: what a model is, what it was trained on, and how to use it."""

from collections.abc import Sequence
from pathlib import Path

from ml_collections import ConfigDict

from data_pipeline.support.hashing import file_sha256
from data_pipeline.support.version import VERSION
from data_pipeline.text.vocabulary import Vocabulary, unit
from data_pipeline.tfrecord import DatasetInfo

_CARD = """# {name}

{kind}, trained for {steps:,} steps of {batch} on the data set `{dataset}`
({train:,} training and {test:,} test images of {classes} classes) with t2i_tf {version}.

- Images: {size} x {size} px
- Vocabulary: {words:,} {unit} (`vocabulary.txt`), captions of at most {max_words} {unit}
- Config: `config.json`
{use}"""

_ENCODERS = "Text and image encoder (DAMSM)"

_GENERATE = """
Draw with it:

    python -m t2i_tf.generate --model_dir=<this folder> --text="..." --output_dir=pictures
"""

_IMPORTED = """# {config.name}

{kind} (AttnGAN, Xu et al., 2018, arXiv:1711.10485), imported from published PyTorch weights with
t2i_tf {version}.

| | file | bytes | SHA-256 |
| --- | --- | --- | --- |
{files}

- Images: {config.data.image_size} x {config.data.image_size} px
- Vocabulary: {words:,} words (`vocabulary.txt`), captions of at most {config.data.max_words} words
- Config, with the sizes read off the weights: `config.json`

Word attention sees each caption's own words only; the published code gave the captions of a batch
each other's masks, in training too. Captions drawn one at a time give the same pictures.
{use}"""


def imported_card(
    config: ConfigDict, files: Sequence, vocabulary_file: str | Path, vocabulary: Vocabulary
) -> str:
    """The card of a model made of published PyTorch files.

    Args:
        config: The model's config.
        files: The `PublishedFile`s.
        vocabulary_file: Where the words came from.
        vocabulary: The `Vocabulary`.
    """
    sources = [(file.network.replace("_", " "), file.path) for file in files]
    sources.append(("vocabulary", Path(vocabulary_file)))
    rows = (
        f"| {what} | {path.name} | {path.stat().st_size:,} | `{file_sha256(path)}` |"
        for what, path in sources
    )
    kind = _ENCODERS
    if "generator" in config:
        kind = f"Attentional text-to-image GAN of {config.generator.stages} stages"
    return _IMPORTED.format(
        config=config,
        kind=kind,
        version=VERSION,
        files="\n".join(rows),
        words=len(vocabulary),
        use=_GENERATE if "generator" in config else "",
    )


def damsm_card(config: ConfigDict, info: DatasetInfo, step: int) -> str:
    """The card of pretrained encoders after `step` steps on the data set of `info`."""
    return _card(_ENCODERS, config, info, step, "")


def generator_card(config: ConfigDict, info: DatasetInfo, step: int) -> str:
    """The card of a text-to-image model after `step` steps on the data set of `info`."""
    stages = config.generator.stages
    kind = f"Attentional text-to-image GAN of {stages} stages (averaged weights)"
    return _card(kind, config, info, step, _GENERATE)


def _card(kind, config, info, step, use):
    splits = info.splits
    return _CARD.format(
        name=config.name,
        kind=kind,
        steps=step,
        batch=config.train.batch_size,
        dataset=info.dataset,
        train=splits["train"]["images"],
        test=splits["test"]["images"],
        classes=splits["train"]["classes"] + splits["test"]["classes"],
        version=VERSION,
        size=config.data.image_size,
        words=info.vocabulary["size"],
        unit=unit(info.vocabulary),
        max_words=config.data.max_words,
        use=use,
    )
