"""Cuts a picture to its subject and stores it as a JPEG of the size that training reads.

This module does not import TensorFlow, so processes that only handle pictures start fast.
"""

import io
import os

from PIL import Image, UnidentifiedImageError

JPEG_QUALITY = 95
# The pictures are untrusted, and Pillow hands some of its other formats to outside programs.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
UNREADABLE = "unreadable pictures"
OUTSIDE = "boxes outside their pictures"

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


def to_rgb(image: Image.Image) -> Image.Image:
    """The image in RGB; transparent parts become white."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def stored_jpeg(image: Image.Image, box: Box, stored_size: int) -> bytes:
    """The crop about `box`, its smaller side brought to `stored_size` pixels, as JPEG bytes.

    Colour is stored at full resolution: at 76 pixels the usual halving would blur plumage.
    """
    image = to_rgb(image).crop(crop_region(box, *image.size))
    scale = stored_size / min(image.size)
    size = tuple(max(round(side * scale), stored_size) for side in image.size)
    image = image.resize(size, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY, subsampling="4:4:4")
    return file.getvalue()


def convert(task: tuple[str | os.PathLike, Box, int]) -> tuple[bytes | None, str, str]:
    """Reads one picture and encodes it for storage; returns problems instead of raising them.

    Args:
        task: Path, box and stored size.

    Returns:
        JPEG bytes, "" and ""; or None, the kind of the problem and the reason.
    """
    path, box, stored_size = task
    try:
        with Image.open(path, formats=FORMATS) as image:
            image.load()
    except UnidentifiedImageError:
        return None, UNREADABLE, "truncated or not an image"
    except Exception as error:  # A damaged file can cause any error in its decoder.
        return None, UNREADABLE, f"truncated or not an image ({error})"
    # A box may extend past the edge: the box of CUB's image 1218 does, by 32 pixels.
    if visible_share(box, *image.size) < 0.5:
        x, y, w, h = box
        reason = (
            f"box x={x:g} y={y:g} width={w:g} height={h:g} is mostly outside the picture of "
            f"{image.width} x {image.height} pixels"
        )
        return None, OUTSIDE, reason
    return stored_jpeg(image, box, stored_size), "", ""
