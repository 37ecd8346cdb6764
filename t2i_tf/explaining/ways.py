"""The way from one caption to another, and from one seed to another."""

import numpy as np
from PIL import Image

from t2i_tf.models.layout import labelled_rows
from t2i_tf.models.text_to_image import TextToImage

STEPS = 8


def ways_sheet(
    model: TextToImage, first: str, last: str, seed: int = 0, truncation: float = 1.0
) -> Image.Image:
    """Two captions, two seeds: the ways between the captions, then those between the seeds.

    Args:
        model: Draws.
        first: A caption.
        last: Another.
        seed: The first seed; the other one is seed + 1.
        truncation: See `TextToImage.interpolate`.

    Raises:
        UserError: The model knows no word of a caption.
    """
    shares = [f"{share:.0%}" for share in np.linspace(0.0, 1.0, STEPS)]
    rows = []
    for own in (seed, seed + 1):
        pictures = model.interpolate(first, last, STEPS, own, truncation)
        rows.append((f"seed {own}: {first} ... {last}", list(zip(shares, pictures, strict=True))))
    for text in (first, last):
        pictures = model.interpolate_seeds(text, seed, seed + 1, STEPS, truncation)
        title = f"seed {seed} ... {seed + 1}: {text}"
        rows.append((title, list(zip(shares, pictures, strict=True))))
    return labelled_rows(rows)
