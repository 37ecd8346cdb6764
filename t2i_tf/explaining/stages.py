"""How one picture came about: its stages, and the words that each of them and DAMSM see."""

import numpy as np
from PIL import Image

from data_pipeline.pixels import to_float
from t2i_tf.models.captions import encode
from t2i_tf.models.images import attention_overlay
from t2i_tf.models.layout import TILE, labelled_rows
from t2i_tf.models.text_to_image import TextToImage
from t2i_tf.models.word_regions import word_regions

WORDS, LARGEST_TILE = 5, 256


def stages_sheet(
    model: TextToImage, text: str, seed: int = 0, truncation: float = 1.0, damsm: bool = True
) -> Image.Image:
    """The stages, the most attended words of each stage that attends, and DAMSM's regions.

    As the figures of AttnGAN (Xu et al., 2018, figure 4), for one caption and seed.

    Args:
        model: Draws.
        text: The caption.
        seed: The picture's.
        truncation: See `TextToImage.explain`.
        damsm: Whether to show DAMSM's regions; the model must have an image encoder then.

    Raises:
        UserError: The model knows no word of the caption, or lacks the image encoder.
    """
    drawn = model.explain(text, seed, truncation)
    left_out = f", left out: {', '.join(drawn.unknown_words)}" if drawn.unknown_words else ""
    title = f"{text}  (seed {seed}{left_out})"
    rows = [(title, [(f"{len(image)} px", image) for image in drawn.images])]
    attending = drawn.images[len(drawn.images) - len(drawn.attention) :]
    for image, maps in zip(attending, drawn.attention, strict=True):
        shares = maps.mean(axis=(0, 1))
        tiles = [
            (f"{drawn.words[i]} {shares[i]:.0%}", _lit(image, maps[..., i]))
            for i in np.argsort(-shares, kind="stable")[:WORDS]
        ]
        rows.append((f"the stage of {len(image)} px: its most attended words", tiles))
    if damsm:
        image = drawn.images[-1]
        tokens = encode([text], model.vocabulary, model.config.data.max_words).tokens
        find = word_regions(
            model.network.text_encoder, model.image_encoder, model.config.damsm.gamma1
        )
        maps = find(tokens, to_float(image[None])).numpy()[0]
        peaks = maps.max(axis=(0, 1))[: len(drawn.words)]
        tiles = [
            (drawn.words[i], _lit(image, maps[..., i]))
            for i in np.argsort(-peaks, kind="stable")[:WORDS]
        ]
        rows.append(("DAMSM: the words that it finds in the fewest regions", tiles))
    return labelled_rows(rows, min(max(model.image_size, TILE), LARGEST_TILE))


def _lit(image, attention):
    """The overlay, on a picture large enough to see where the spot is."""
    if len(image) < TILE:
        image = np.asarray(Image.fromarray(image).resize((TILE, TILE), Image.Resampling.BICUBIC))
    return attention_overlay(image, attention)
