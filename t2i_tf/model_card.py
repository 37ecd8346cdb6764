"""Model cards: what a model is, what it was trained on, and how to use it."""

import json
from pathlib import Path

from data_pipeline.errors import UserError
from t2i_tf import __version__, model_directory
from t2i_tf.metrics import report
from t2i_tf.metrics.features import file_sha256

_CARD = """# {name}

{kind}, trained for {steps:,} steps of {batch} on the data set `{dataset}`
({train:,} training and {test:,} test images of {classes} classes) with t2i_tf {version}.

- Images: {size} x {size} px
- Vocabulary: {words:,} words (`vocabulary.txt`), captions of at most {max_words} words
- Config: `config.json`
{use}"""

_GENERATE = """
Draw with it:

    python -m t2i_tf.generate --model_dir=<this folder> --text="..." --output_dir=pictures
"""

_IMPORTED = """# {config.name}

Attentional text-to-image GAN of {config.generator.stages} stages (AttnGAN, Xu et al., 2018,
arXiv:1711.10485), imported from published PyTorch weights with t2i_tf {version}.

| | file | bytes | SHA-256 |
| --- | --- | --- | --- |
{files}

- Images: {config.data.image_size} x {config.data.image_size} px
- Vocabulary: {words:,} words (`vocabulary.txt`), captions of at most {config.data.max_words} words
- Config, with the sizes read off the weights: `config.json`

Word attention sees each caption's own words only; the published code gave the captions of a batch
each other's masks, in training too. Of captions drawn one at a time the pictures are the same.
{use}"""


def imported_card(config, files, vocabulary_file, vocabulary):
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
    return _IMPORTED.format(
        config=config,
        version=__version__,
        files="\n".join(rows),
        words=len(vocabulary),
        use=_GENERATE,
    )


def damsm_card(config, info, step):
    """The card of pretrained encoders after `step` steps on the data set of `info`."""
    return _card("Text and image encoder (DAMSM)", config, info, step, "")


def generator_card(config, info, step):
    """The card of a text-to-image model after `step` steps on the data set of `info`."""
    stages = config.generator.stages
    kind = f"Attentional text-to-image GAN of {stages} stages (averaged weights)"
    return _card(kind, config, info, step, _GENERATE)


def served_card(directory, config):
    """The card that an exported model carries: its own, what was measured of it, its config.

    Args:
        directory: The model directory, as `model_directory.find` returns it.
        config: Its config.

    Raises:
        UserError: A report of an evaluation beside the model is damaged.
    """
    own = directory / model_directory.CARD
    card = own.read_text(encoding="utf-8").rstrip() if own.is_file() else f"# {config.name}"
    parts = [card, *_measured(directory), "## Config", f"```json\n{config.to_json(indent=2)}\n```"]
    return "\n\n".join(parts) + "\n"


def _measured(directory):
    """Sections of the evaluations of these very weights, in the model directory or its run's."""
    weights = file_sha256(model_directory.weights_file(directory, "generator"))
    run = directory.parent if directory.name == "model" else directory
    for path in sorted([*run.glob("report.json"), *run.glob("*/report.json")]):
        try:
            figures = json.loads(path.read_text(encoding="utf-8"))
            if figures["pictures"].get("generator_sha256") == weights:
                yield report.markdown(figures).replace("# ", "## Measured: ", 1).rstrip()
        except (ValueError, KeyError) as error:
            raise UserError(
                f"{path} is no report of t2i_tf.evaluate ({error}): measure anew or remove it"
            ) from error


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
        version=__version__,
        size=config.data.image_size,
        words=info.vocabulary["size"],
        max_words=config.data.max_words,
        use=use,
    )
