"""Model cards: what a model is, what it was trained on, and how to use it."""

from t2i_tf import __version__

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


def damsm_card(config, info, step):
    """The card of pretrained encoders after `step` steps on the data set of `info`."""
    return _card("Text and image encoder (DAMSM)", config, info, step, "")


def generator_card(config, info, step):
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
        version=__version__,
        size=config.data.image_size,
        words=info.vocabulary["size"],
        max_words=config.data.max_words,
        use=use,
    )
