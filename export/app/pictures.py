"""Pictures as the page and its downloads take them: PNG bytes, sheets, archives, animations."""

import base64
import dataclasses
import io
import math
import zipfile
from collections.abc import Sequence

import numpy as np
from PIL import Image

from export.app.asked import Asked
from t2i_tf.models.images import grid, png
from t2i_tf.models.names import picture_name

FRAME_MS = 120
DAY_ONE = (1980, 1, 1, 0, 0, 0)  # of every file in an archive: the same bytes on every day


def picture_png(picture: np.ndarray, asked: Asked, model: str) -> bytes:
    """A picture's file, which says how it was drawn.

    Args:
        picture: uint8 `[H, W, 3]`.
        asked: Its caption, seed and truncation.
        model: The model's name.
    """
    texts = {"Description": asked.caption, "Seed": str(asked.seed)}
    return png(picture, {**texts, "Truncation": f"{asked.truncation:g}", "Model": model})


def sheet_png(pictures: Sequence[np.ndarray], asked: Asked, model: str) -> bytes:
    """All pictures of a request on one sheet, row by row in the order of their seeds."""
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    cells = np.full((rows * columns, *pictures[0].shape), 255, np.uint8)
    cells[: len(pictures)] = pictures
    sheet = grid(cells.reshape(rows, columns, *pictures[0].shape))
    last = asked.seed + len(pictures) - 1
    texts = {"Description": asked.caption, "Seed": f"{asked.seed} to {last}"}
    return png(sheet, {**texts, "Truncation": f"{asked.truncation:g}", "Model": model})


def archive(pictures: Sequence[np.ndarray], asked: Asked, model: str) -> bytes:
    """A ZIP of pictures, named as `t2i_tf.generate` names them."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as zipped:
        for i, picture in enumerate(pictures):
            single = dataclasses.replace(asked, seed=asked.seed + i)
            name = f"{picture_name(i, single.caption, single.seed)}.png"
            zipped.writestr(zipfile.ZipInfo(name, DAY_ONE), picture_png(picture, single, model))
    return data.getvalue()


def animation(pictures: Sequence[np.ndarray]) -> bytes:
    """Pictures as a lossless animated WebP that goes there and back for ever."""
    frames = [Image.fromarray(picture) for picture in (*pictures, *pictures[-2:0:-1])]
    data = io.BytesIO()
    options = {"append_images": frames[1:], "duration": FRAME_MS, "loop": 0, "lossless": True}
    frames[0].save(data, "WEBP", save_all=True, **options)
    return data.getvalue()


def spot_png(attention: np.ndarray) -> bytes:
    """A word's attention as a mask: opaque where it is at its greatest.

    Args:
        attention: `[h, w]`, not negative.
    """
    scaled = attention / max(float(attention.max()), np.finfo(np.float32).tiny)
    alpha = np.round(255 * scaled).astype(np.uint8)
    file = io.BytesIO()
    Image.merge("LA", [Image.new("L", alpha.shape[::-1], 255), Image.fromarray(alpha)]).save(
        file, "PNG"
    )
    return file.getvalue()


def data_url(file: bytes, kind: str = "image/png") -> str:
    """A file as an address that holds all of it: nothing of it is kept on the server."""
    return f"data:{kind};base64,{base64.b64encode(file).decode()}"
