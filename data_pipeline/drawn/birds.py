"""Draws birds whose belly, wing and crown have given colours.

A bird is laid out in its own coordinates: the body is about two units long, it faces right and y
points down. One affine map then tilts, scales, mirrors and places it.
"""

import numpy as np
from PIL import Image

from data_pipeline.drawn import perches, plumage, scenery
from data_pipeline.drawn.painting import Painter, ribbon, spline

COLOURS = {
    "red": (202, 28, 36),
    "orange": (242, 130, 22),
    "yellow": (250, 216, 46),
    "green": (50, 142, 58),
    "blue": (38, 92, 206),
    "brown": (118, 74, 44),
    "black": (32, 32, 38),
    "white": (247, 247, 244),
    "grey": (140, 144, 150),
}
PARTS = ("belly", "wing", "crown")
VARIETIES = ("plain", "full")
DIRECTIONS = ("left", "right")
# Attributes of a species besides the colours of its parts.
SECONDARY = {
    "size": ("small", "medium", "large"),
    "bill": ("short", "stout", "long", "curved"),
    "bill_colour": ("dark", "horn", "ochre"),
    "tail": ("short", "medium", "long"),
    "crest": ("none", "none", "none", "crest"),
    "eyering": ("none", "thin", "bold"),
    "wingbars": ("none", "none", "one", "two"),
    "legs": ("dark", "pale", "strong"),
}

Box = tuple[float, float, float, float]

_SUPERSAMPLING = 2
_BILLS = {  # length, depth at the base, how far the tip bends down
    "short": (0.26, 0.15, 0.01),
    "stout": (0.26, 0.25, 0.03),
    "long": (0.50, 0.13, 0.0),
    "curved": (0.44, 0.16, 0.16),
}
_TAILS = {
    "plain": {"short": 0.30, "medium": 0.42, "long": 0.60},
    "full": {"short": 0.34, "medium": 0.60, "long": 1.05},
}
_HEADS = {"small": 1.13, "medium": 1.03, "large": 0.94}
# larger in plain pictures, where a small head would show little
_HEAD_SCALES = {"plain": 1.10, "full": 1.0}
_TILTS = {"plain": (-24, -8), "full": (-38, 0)}
_TALLEST, _FLATTEST = -62, 14

_BODY = np.array(
    [
        (0.99, -0.66), (0.90, -0.87), (0.66, -0.98), (0.40, -0.89), (0.23, -0.66), (0.04, -0.45),
        (-0.28, -0.24), (-0.62, 0.02), (-0.90, 0.20), (-0.86, 0.36), (-0.56, 0.55), (-0.20, 0.70),
        (0.16, 0.71), (0.50, 0.55), (0.75, 0.22), (0.81, -0.14), (0.86, -0.36), (0.97, -0.48),
    ]
)  # fmt: skip
_MANTLE = np.array(
    [
        (0.34, -0.50), (0.16, -0.64), (-0.28, -0.40), (-0.70, -0.10), (-1.0, 0.18), (-0.94, 0.36),
        (-0.55, 0.26), (-0.10, 0.02), (0.28, -0.12), (0.42, -0.30),
    ]
)  # fmt: skip
_CAP = np.array(
    [
        (1.06, -0.60), (0.84, -0.53), (0.60, -0.49), (0.42, -0.41), (0.24, -0.36), (0.10, -0.50),
        (0.14, -0.80), (0.34, -1.06), (0.66, -1.14), (0.98, -1.0), (1.12, -0.76),
    ]
)  # fmt: skip
_CREST = np.array(
    [(0.86, -0.84), (0.62, -1.04), (0.30, -1.18), (0.08, -1.20), (0.30, -1.0), (0.30, -0.72)]
)
_WING_TOP = np.array([(0.48, -0.12), (0.32, -0.34), (0.0, -0.37), (-0.46, -0.10), (-1.04, 0.34)])
_WING_BOTTOM = np.array([(0.48, -0.12), (0.44, 0.08), (0.16, 0.24), (-0.38, 0.29), (-1.04, 0.34)])
_EYE = np.array([0.77, -0.64])
_BILL_BASE = np.array([0.95, -0.57])
_HEAD_CENTRE = np.array([0.62, -0.58])
_TAIL_BASE = np.array([-0.62, 0.17])


def draw_bird(
    attributes: dict[str, str],
    rng: np.random.Generator,
    picture_size: int = 500,
    variety: str = "full",
) -> tuple[Image.Image, Box]:
    """Draws one picture of a bird.

    Args:
        attributes: colours of `PARTS` by name, one value for each key of `SECONDARY`, and "perch";
            for full variety also "direction" and "backdrop".
        rng: decides pose, light, background and small deviations of shape and colour.
        picture_size: longer side in pixels.
        variety: "plain" (square, facing right, little jitter, even backgrounds) or "full".

    Returns:
        The picture and the bird's box (x, y, width, height) in pixels, without the perch.
    """
    full = variety == "full"
    sides = ((1.0, 1.0), (1.0, 0.75), (1.0, 0.67), (0.8, 1.0))[int(rng.integers(4)) if full else 0]
    size = np.round(np.array(sides) * picture_size)
    tilt = np.radians(rng.uniform(*_TILTS[variety]))
    shapes = _layout(attributes, tilt, rng, variety)
    width, height = np.subtract(*_bounds(shapes, _rotation(tilt))[::-1])
    scale = min(size / (width, height)) * (
        rng.uniform(0.55, 0.84) if full else rng.uniform(0.74, 0.82)
    )
    extent = scale * np.array((width, height))
    sway = 0.5 + rng.uniform(-0.35, 0.35, 2) * (1.0 if full else 0.3)
    corner = np.maximum((size - extent) * sway, 1.0)
    image = _picture(attributes, rng, variety, size, (*corner, *extent), shapes, tilt)
    return image, tuple(np.round((*corner, *extent), 1).tolist())


def draw_bird_in_box(
    attributes: dict[str, str], rng: np.random.Generator, box: Box, picture_size: int = 500
) -> Image.Image:
    """Draws a bird of full variety that fills a given box, stretched as much as necessary.

    Args:
        attributes: as for `draw_bird`.
        rng: as for `draw_bird`.
        box: x, y, width, height in pixels.
        picture_size: longer side of the picture (4:3) in pixels; larger if the box needs it.

    Returns:
        The picture, with the bird's box exactly as given.
    """
    x, y, width, height = box
    landscape = width * 3 >= height * 4 or rng.random() < 0.7
    sides = (1.0, 0.75) if landscape else (0.75, 1.0)
    size = np.round(np.maximum(np.array(sides) * picture_size, (x + width + 4, y + height + 4)))
    best = None
    for degrees in np.linspace(_TALLEST, _FLATTEST, 7):
        tilt = np.radians(degrees)
        shapes = _layout(attributes, tilt, np.random.default_rng(int(rng.integers(2**31))), "full")
        extent = np.subtract(*_bounds(shapes, _rotation(tilt))[::-1])
        stretch = abs(np.log(extent[0] / extent[1] * height / width))
        if best is None or stretch < best[0]:
            best = (stretch, shapes, tilt)
    return _picture(attributes, rng, "full", size, box, *best[1:])


def _picture(
    attributes: dict[str, str],
    rng: np.random.Generator,
    variety: str,
    size: np.ndarray,
    box: Box,
    shapes: dict[str, np.ndarray],
    tilt: float,
) -> Image.Image:
    """Draws the background, the perch and, within its box, the bird with the outlines `shapes`."""
    turn = np.diag((-1 if attributes.get("direction") == "left" else 1, 1)) @ _rotation(tilt)
    low, high = _bounds(shapes, turn)
    scale = np.array(box[2:]) * _SUPERSAMPLING / (high - low)
    offset = np.array(box[:2]) * _SUPERSAMPLING - low * scale
    pixels = {name: (points @ turn.T) * scale + offset for name, points in shapes.items()}
    unit = float(np.sqrt(scale.prod()))
    canvas = tuple(int(side) * _SUPERSAMPLING for side in size)
    painter = Painter(
        scenery.background(canvas, rng, attributes.get("backdrop")), light=rng.uniform(-1, 1)
    )
    perches.perch(attributes["perch"], painter, rng, pixels["feet"], unit, variety)
    plumage.paint(
        painter, pixels, attributes, {part: COLOURS[attributes[part]] for part in PARTS}, rng, unit
    )
    if variety == "full":
        perches.foreground(painter, rng, attributes["perch"], pixels["feet"], unit)
    return painter.image.reduce(_SUPERSAMPLING)


def _rotation(angle: float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([(cosine, -sine), (sine, cosine)])


def _bounds(shapes: dict[str, np.ndarray], matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The corners of the bird's box after mapping its silhouette by a matrix."""
    clipped = ("mantle", "cap")
    points = np.concatenate([p for name, p in shapes.items() if name not in clipped]) @ matrix.T
    return points.min(0), points.max(0)


def _layout(
    attributes: dict[str, str], tilt: float, rng: np.random.Generator, variety: str
) -> dict[str, np.ndarray]:
    """Outlines and lines of one bird, each [N, 2], in its own coordinates.

    Points are given for a standing bird; `tilt` is the angle of its later turn, in radians.
    """
    plump = 1 + rng.uniform(-0.05, 0.10)
    head = _HEADS[attributes["size"]] * _HEAD_SCALES[variety] * (1 + rng.uniform(-0.03, 0.03))
    nod = _rotation(
        np.radians(rng.uniform(-14, 14) - np.degrees(tilt) * 0.35) if variety == "full" else 0
    )

    def shaped(points: np.ndarray) -> np.ndarray:
        """Plumper or slimmer, with a larger, smaller or turned head."""
        points = np.asarray(points, float)
        weight = np.clip(((points[..., :1] - points[..., 1:]) * 0.7 - 0.35) / 0.45, 0, 1)
        body = points * (1, plump)
        turned = _HEAD_CENTRE + head * (points - _HEAD_CENTRE) @ nod.T
        return body + weight * (turned - body)

    shapes = {
        "body": shaped(spline(_BODY, closed=True)),
        "mantle": shaped(spline(_MANTLE, closed=True)),
        "cap": shaped(spline(_CAP, closed=True)),
        "wing_top": shaped(spline(_WING_TOP, 8)),
        "wing_bottom": shaped(spline(_WING_BOTTOM, 8)),
        "eye": shaped(_EYE)[None],
    }
    if attributes["crest"] == "crest":
        shapes["crest"] = shaped(spline(_CREST, closed=True))

    length, depth, bend = _BILLS[attributes["bill"]]
    length *= 1 + rng.uniform(-0.08, 0.08)
    middle, tip = _BILL_BASE + (0.55 * length, 0.15 * bend), _BILL_BASE + (length, bend)
    for name, root, swell in (
        ("upper_bill", -0.5, -0.38),
        ("gape", 0.1, 0.06),
        ("lower_bill", 0.5, 0.34),
    ):
        line = np.array([_BILL_BASE + (-0.08, root * depth), middle + (0, swell * depth), tip])
        shapes[name] = shaped(spline(line))

    reach = _TAILS[variety][attributes["tail"]] * (1 + rng.uniform(-0.1, 0.1)) + 0.25
    droop = rng.uniform(0.38, 0.60) if variety == "plain" else rng.uniform(0.15, 0.75)
    for index, fan in enumerate((-0.11, 0.11, 0.0)):
        direction = np.array([-np.cos(droop + fan), np.sin(droop + fan)])
        curve = _TAIL_BASE + np.linspace(0, reach, 10)[:, None] * direction
        widths = np.array([0.18, 0.19, 0.2, 0.2, 0.2, 0.2, 0.2, 0.19, 0.16, 0.06])
        shapes[f"tail{index}"] = ribbon(curve, widths)

    # Legs hang straight down from the lowest part of the belly however the body is turned.
    turn = _rotation(tilt)
    body = shapes["body"] @ turn.T
    middle = body[:, 0].min() * 0.45 + body[:, 0].max() * 0.55
    hips = []
    for side in (0.13, -0.13):
        near = body[np.abs(body[:, 0] - middle - side) < 0.12]
        hips.append((middle + side, near[:, 1].max() - 0.08))
    hips = np.array(hips)
    ground = body[:, 1].max() + rng.uniform(0.17, 0.26)
    feet = np.stack([hips[:, 0] + (0.05, 0.0), (ground, ground - 0.02)], 1)
    shapes["hips"], shapes["feet"] = hips @ turn, feet @ turn
    toes = feet[:, None] + np.array([(-0.12, 0.03), (0.07, 0.05), (0.15, 0.04)])
    toes = toes.reshape(-1, 2)
    shapes["toes"] = toes @ turn
    # as deep as the toes are thick, which gives them room in the box
    shapes["soles"] = (toes + (0, 0.025)) @ turn
    return shapes
