"""Cuts a picture to its subject and stores it as a JPEG of the size that training reads.

This module does not import TensorFlow, so processes that only handle pictures start fast.
"""

import io
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from data_pipeline.support.parts import FilePart

JPEG_QUALITY = 95
# The pictures are untrusted, and Pillow hands some of its other formats to outside programs.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
UNREADABLE = "unreadable pictures"
OUTSIDE = "boxes outside their pictures"
UNFIT = "pictures of unfit sizes"
SMALLEST_SIDE = 8
LONGEST_TO_SHORTEST = 16
MOST_PIXELS = Image.MAX_IMAGE_PIXELS  # 89 million: more may be an attack on memory.

_ORIENTATION = 0x0112  # The tag in EXIF data; its values say how the upright picture was turned.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Box = tuple[float, float, float, float]


def crop_region(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """The square about a bounding box's centre, 1.5 times its longer side, clipped to the picture.

    As in AttnGAN: r = int(max(w, h) * 0.75), the centre rounded down.

    Args:
        box: Left, top, width and height in pixels.
        width: The picture's width.
        height: The picture's height.

    Returns:
        Left, top, right and bottom; the last two are exclusive.
    """
    x, y, w, h = box
    r = max(int(max(w, h) * 0.75), 1)
    centre_x, centre_y = int((2 * x + w) / 2), int((2 * y + h) / 2)
    return (
        max(0, centre_x - r),
        max(0, centre_y - r),
        min(width, centre_x + r),
        min(height, centre_y + r),
    )


def visible_share(box: Box, width: int, height: int) -> float:
    """The part of a box's area that lies within the picture, from 0 to 1."""
    x, y, w, h = box
    inside_x = max(0.0, min(x + w, width) - max(x, 0.0))
    inside_y = max(0.0, min(y + h, height) - max(y, 0.0))
    return inside_x / w * (inside_y / h)


def upright(image: Image.Image) -> Image.Image:
    """The image as its EXIF data says that it is to be shown."""
    try:
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION))
    except Exception:  # Damaged EXIF data can cause any error; the picture may be whole.
        turn = None
    return image if turn is None else image.transpose(turn)


def to_rgb(image: Image.Image) -> Image.Image:
    """The image in RGB of 8 bits; transparent parts become white.

    Raises:
        ValueError: The image has levels whose range is unknown, as 32-bit pictures do.
    """
    if image.mode.startswith("I;16"):  # Pillow's own conversion would clip it.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError("32-bit levels; save it with 8 or 16 bits")
    if image.mode == "LAB":
        raise ValueError("Lab colours; save it in RGB")
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def stored_jpeg(image: Image.Image, box: Box | None, stored_size: int) -> bytes:
    """The crop about `box`, its smaller side brought to `stored_size` pixels, as JPEG bytes.

    Without a box the whole picture is kept. Colour is stored at full resolution: at 76 pixels the
    usual halving would blur plumage.
    """
    image = to_rgb(image)
    if box is not None:
        image = image.crop(crop_region(box, *image.size))
    scale = stored_size / min(image.size)
    size = tuple(max(round(side * scale), stored_size) for side in image.size)
    image = image.resize(size, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY, subsampling="4:4:4")
    return file.getvalue()


def convert(
    task: tuple[str | Path | FilePart, Box | None, int | None],
) -> tuple[bytes | None, str, str]:
    """Reads one picture and encodes it for storage; returns problems instead of raising them.

    Args:
        task: The picture, its box (None: the whole picture) and the stored size (None: the picture
            is only checked).

    Returns:
        JPEG bytes (empty if it was only checked), "" and ""; or None, the kind of the problem and
        the reason.
    """
    picture, box, stored_size = task
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # The size is looked at below.
            file = picture
            if isinstance(picture, FilePart):
                file = io.BytesIO(picture.read())
            with Image.open(file, formats=FORMATS) as opened:
                reason = _unfit(*opened.size)
                if reason:
                    return None, UNFIT, reason
                opened.load()
                image = to_rgb(upright(opened))
    except UnidentifiedImageError:
        empty = " (0 bytes)" * (_size(picture) == 0)
        return None, UNREADABLE, f"truncated or not an image{empty}"
    except Image.DecompressionBombError:
        return None, UNFIT, _TOO_LARGE
    except Exception as error:  # A damaged file can cause any error in its decoder.
        return None, UNREADABLE, f"truncated or not an image ({error})"
    # A box may extend past the edge: the box of CUB's image 1218 does, by 32 pixels.
    if box is not None and visible_share(box, *image.size) < 0.5:
        x, y, w, h = box
        reason = (
            f"box x={x:g} y={y:g} width={w:g} height={h:g} is mostly outside the picture of "
            f"{image.width} x {image.height} pixels"
        )
        return None, OUTSIDE, reason
    return b"" if stored_size is None else stored_jpeg(image, box, stored_size), "", ""


_TOO_LARGE = f"more than {MOST_PIXELS // 10**6} million pixels; make it smaller"


def _size(picture):
    return picture.size if isinstance(picture, FilePart) else os.path.getsize(picture)


def _unfit(width, height):
    """Why a picture of this size is refused, or an empty text."""
    size = f"{width} x {height} pixels"
    if width * height > MOST_PIXELS:
        return f"{size}, {_TOO_LARGE}"
    if min(width, height) < SMALLEST_SIDE:
        return f"{size}: it has a side of less than {SMALLEST_SIDE}"
    if max(width, height) > LONGEST_TO_SHORTEST * min(width, height):
        return f"{size}: one side is more than {LONGEST_TO_SHORTEST} times the other"
    return ""
