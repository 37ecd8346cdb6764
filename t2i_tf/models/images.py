"""Makes pictures of pictures: grids, captioned sheets and attention overlays."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from data_pipeline.support.files import writing_whole

BACKGROUND, INK = (255, 255, 255), (32, 32, 32)
# A word's attention brightens the picture from DARKENED of its light to all of it plus a glow,
# which makes the spot visible on black feathers too.
DARKENED, GLOW = 0.3, 48.0


def grid(images: np.ndarray, pad: int = 2) -> np.ndarray:
    """Lays pictures out in rows and columns.

    Args:
        images: uint8 `[rows, columns, H, W, 3]`.
        pad: White pixels around each picture.

    Returns:
        uint8 `[rows * (H + pad) + pad, columns * (W + pad) + pad, 3]`.
    """
    rows, columns, height, width, channels = images.shape
    cells = np.full((rows, height + pad, columns, width + pad, channels), 255, np.uint8)
    cells[:, :height, :, :width] = images.transpose(0, 2, 1, 3, 4)
    sheet = cells.reshape(rows * (height + pad), columns * (width + pad), channels)
    return np.pad(sheet, ((pad, 0), (pad, 0), (0, 0)), constant_values=255)


def attention_overlay(image: np.ndarray, attention: np.ndarray) -> np.ndarray:
    """Shows where a word acts: a bright spot over the darkened picture.

    Args:
        image: uint8 `[H, W, 3]`.
        attention: The word's map `[h, w]`, not negative; upsampled smoothly to the picture and
            scaled to its own maximum, so maps of different words cannot be compared.

    Returns:
        uint8 `[H, W, 3]`.
    """
    size = image.shape[1], image.shape[0]
    spot = Image.fromarray(np.asarray(attention, np.float32)).resize(size, Image.Resampling.BICUBIC)
    spot = np.clip(spot, 0.0, None)[:, :, None]
    spot = spot / max(spot.max(), np.finfo(np.float32).tiny)
    lit = image * (DARKENED + (1.0 - DARKENED) * spot) + GLOW * spot
    return np.clip(np.round(lit), 0, 255).astype(np.uint8)


def attention_strip(
    image: np.ndarray, attention: np.ndarray, words: Sequence[str], columns: int = 10
) -> Image.Image:
    """A picture followed by its overlay for each word, the word written below.

    Args:
        image: uint8 `[H, W, 3]`; shown at 128 pixels per side if it is smaller.
        attention: One stage's maps `[h, w, T]`, T of at least `len(words)`.
        words: The caption's words as the model read them.
        columns: Pictures per row.
    """
    height, width = image.shape[:2]
    scale = max(1.0, 128 / max(height, width))
    width, height = round(width * scale), round(height * scale)
    image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
    tiles = [(image, "")]
    tiles += [(attention_overlay(image, attention[:, :, i]), word) for i, word in enumerate(words)]
    pad, line = 4, 24
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    size = (columns * (width + pad) + pad, rows * (height + line + pad) + pad)
    sheet = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for i, (tile, word) in enumerate(tiles):
        x = pad + i % columns * (width + pad)
        y = pad + i // columns * (height + line + pad)
        sheet.paste(Image.fromarray(tile), (x, y))
        middle = (x + width // 2, y + height + line // 2)
        text, font = _fit(word, width)
        draw.text(middle, text, fill=INK, font=font, anchor="mm")
    return sheet


def stack(pictures: Sequence[np.ndarray], pad: int = 8) -> np.ndarray:
    """Lays pictures of any sizes one below the other, white around the narrower ones.

    Args:
        pictures: uint8 `[h, w, 3]` each.
        pad: White pixels between two.

    Returns:
        uint8 `[H, W, 3]`.
    """
    width = max(picture.shape[1] for picture in pictures)
    rows = []
    for i, picture in enumerate(pictures):
        missing = (pad if i else 0, 0), (0, width - picture.shape[1]), (0, 0)
        rows.append(np.pad(picture, missing, constant_values=255))
    return np.concatenate(rows)


def save_png(path: str | Path, picture: np.ndarray | Image.Image, description: str = "") -> None:
    """Writes a PNG file, whole or not at all.

    Args:
        path: The file to write; its folder must exist.
        picture: uint8 `[H, W, 3]` or a Pillow image.
        description: Text to keep in the file, under PNG's keyword "Description".
    """
    texts = {"Description": description} if description else {}
    with writing_whole(path) as partial:
        partial.write_bytes(png(picture, texts))


def png(picture: np.ndarray | Image.Image, texts: Mapping[str, str]) -> bytes:
    """A PNG file's bytes, the same for the same picture and texts.

    Args:
        picture: uint8 `[H, W, 3]` or a Pillow image.
        texts: Texts to keep in the file, by their PNG keywords.
    """
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    info = PngImagePlugin.PngInfo()
    for keyword, text in texts.items():
        info.add_itxt(keyword, text)
    file = io.BytesIO()
    picture.save(file, format="PNG", pnginfo=info)
    return file.getvalue()


def _fit(word, width):
    """The word and a font in which it is at most `width` pixels wide; the longest words are cut."""
    for size in range(16, 8, -1):
        font = ImageFont.load_default(size)
        if font.getlength(word) <= width:
            return word, font
    while font.getlength(f"{word}..") > width:
        word = word[:-1]
    return f"{word}..", font
