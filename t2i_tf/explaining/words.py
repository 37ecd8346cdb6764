"""One caption with its words exchanged, all from one seed."""

import itertools
import re
from collections.abc import Iterator

import numpy as np
from PIL import Image

from data_pipeline.support.errors import UserError
from t2i_tf.models.captions import encode
from t2i_tf.models.layout import labelled_rows
from t2i_tf.models.text_to_image import TextToImage

MOST = 400  # pictures of a sheet
_SLOT = re.compile(r"\{([^{}]*)\}")
_EXAMPLE = 'such as "a {red,blue} bird with a {white,black} belly"'


def words_sheet(
    model: TextToImage, template: str, seed: int = 0, truncation: float = 1.0
) -> Image.Image:
    """Every caption of a template: the last braces' words across, the others' downwards.

    Args:
        model: Draws.
        template: A caption with words to choose from in braces.
        seed: Of every picture.
        truncation: See `TokensToImage.call`.

    Raises:
        UserError: The template has no braces, a brace without its other, too many captions, or a
            caption of which the model knows no word.
    """
    rows = list(captions(template))
    texts = [text for _, own in rows for _, text in own]
    tokens = encode(texts, model.vocabulary, model.config.data.max_words).tokens
    drawn = model.draw(tokens, np.full(len(texts), seed, np.int64), truncation=truncation)
    pictures = (picture for picture, _ in drawn)
    return labelled_rows(
        [(title, [(word, next(pictures)) for word, _ in own]) for title, own in rows]
    )


def captions(template: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The rows of a template's sheet: a title, and (word, caption) of each picture.

    Raises:
        UserError: See `words_sheet`.
    """
    parts = _SLOT.split(template)
    fixed, slots = parts[::2], [_choices(slot) for slot in parts[1::2]]
    if not slots or any(brace in part for part in fixed for brace in "{}"):
        raise UserError(f"{template!r} should have words to choose from in braces, {_EXAMPLE}")
    count = 1
    for slot in slots:
        count *= len(slot)
    if count > MOST:
        raise UserError(f"{template!r} stands for {count:,} captions, of at most {MOST}")
    for chosen in itertools.product(*slots[:-1]):
        yield (
            _filled(fixed, [*chosen, "..."]),
            [(word or "(none)", _filled(fixed, [*chosen, word])) for word in slots[-1]],
        )


def _choices(slot):
    words = [word.strip() for word in slot.split(",")]
    if len(words) < 2:
        raise UserError(f"{{{slot}}} offers no choice: name words with commas between, {_EXAMPLE}")
    return words


def _filled(fixed, words):
    text = fixed[0] + "".join(word + rest for word, rest in zip(words, fixed[1:], strict=True))
    return " ".join(text.split())
