"""Which sheets can be made of what the user gives."""

import importlib.util
from collections.abc import Collection, Sequence

from data_pipeline.support.errors import UserError

# What a sheet can need, and the words for it.
CAPTION, TWO_CAPTIONS, TEMPLATE, DATA, ENCODER, SKLEARN = (
    "a caption: --text= or --captions_file=",
    "two captions: --text=... --text=...",
    "--template=",
    "--data_dir=",
    "DAMSM's image encoder, which the model lacks",
    "scikit-learn: pip install -r requirements-explain.txt",
)
SHEETS = {
    "stages": [CAPTION],
    "words": [TEMPLATE],
    "ways": [TWO_CAPTIONS],
    "nearest": [CAPTION, DATA, ENCODER],
    "gallery": [DATA, ENCODER],
    "map": [DATA, ENCODER, SKLEARN],
}


def choose(asked: Sequence[str] | None, has: Collection[str]) -> Sequence[str]:
    """The sheets to make: those asked for, or all that are possible.

    Args:
        asked: Some of `SHEETS`, None for all possible ones.
        has: What there is, of what sheets need.

    Raises:
        UserError: A sheet is unknown or lacks what it needs, or none is possible.
    """
    missing = {name: [need for need in needs if need not in has] for name, needs in SHEETS.items()}
    for name in asked or ():
        if name not in SHEETS:
            raise UserError(f"{name!r} is none of {', '.join(SHEETS)}")
        if missing[name]:
            raise UserError(f"{name} needs {missing[name][0]}")
    chosen = asked or [name for name in SHEETS if not missing[name]]
    if not chosen:
        raise UserError(
            "nothing to show: give --text=, --template= or, for a model with DAMSM's image "
            "encoder, --data_dir="
        )
    return chosen


def given(
    captions: int, template: str | None, data_dir: str | None, encoder: bool
) -> Collection[str]:
    """What there is, of what sheets need.

    Args:
        captions: How many.
        template: See `words.words_sheet`.
        data_dir: The data set.
        encoder: Whether the model has an image encoder.
    """
    there = {
        CAPTION: captions >= 1,
        TWO_CAPTIONS: captions >= 2,
        TEMPLATE: bool(template),
        DATA: bool(data_dir),
        ENCODER: encoder,
        SKLEARN: importlib.util.find_spec("sklearn") is not None,
    }
    return [need for need, has in there.items() if has]
