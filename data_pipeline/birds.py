"""Draws birds whose belly, wing and crown have given colours.

A bird is laid out in its own coordinates, in which its body is about two units long, it faces right and y
points down; one affine map then tilts, scales, mirrors and places it.
"""

import numpy as np
from PIL import Image

from data_pipeline import scenery
from data_pipeline.painting import Painter, ribbon, spline, tint

COLOURS = {
    "red": (200, 30, 36),
    "orange": (240, 128, 24),
    "yellow": (250, 214, 44),
    "green": (52, 140, 58),
    "blue": (40, 92, 204),
    "brown": (120, 76, 44),
    "black": (32, 32, 38),
    "white": (246, 246, 243),
    "grey": (140, 144, 150),
}
PARTS = ("belly", "wing", "crown")
VARIETIES = ("plain", "full")
PERCHES = ("branch",)
# What a species has beside the colours of its parts.
SECONDARY = {
    "size": ("small", "medium", "large"),
    "bill": ("short", "stout", "long", "curved"),
    "bill_colour": ("dark", "horn", "ochre"),
    "tail": ("short", "medium", "long"),
    "crest": ("none", "none", "none", "crest"),
    "eyering": ("none", "thin", "bold"),
    "wingbars": ("none", "none", "one", "two"),
    "legs": ("dark", "pale", "stout"),
}

_SUPERSAMPLING = 2
_BILL_COLOURS = {"dark": (58, 56, 58), "horn": (128, 118, 108), "ochre": (196, 156, 92)}
_LEG_COLOURS = {"dark": (66, 60, 58), "pale": (176, 146, 122), "stout": (96, 84, 78)}
_BILLS = {  # length, depth at the base, how far the tip bends down
    "short": (0.27, 0.15, 0.01),
    "stout": (0.27, 0.25, 0.03),
    "long": (0.58, 0.13, 0.0),
    "curved": (0.50, 0.16, 0.17),
}
_TAILS = {"short": 0.38, "medium": 0.62, "long": 0.95}
_HEADS = {"small": 1.13, "medium": 1.03, "large": 0.93}

_BODY = np.array(
    [
        (0.99, -0.66), (0.90, -0.87), (0.66, -0.98), (0.40, -0.89), (0.23, -0.66), (0.04, -0.45),
        (-0.28, -0.24), (-0.62, 0.02), (-0.90, 0.20), (-0.86, 0.36), (-0.56, 0.52), (-0.20, 0.66),
        (0.16, 0.67), (0.50, 0.50), (0.74, 0.18), (0.80, -0.16), (0.86, -0.36), (0.97, -0.48),
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
        (1.06, -0.60), (0.84, -0.53), (0.60, -0.50), (0.42, -0.42), (0.24, -0.38), (0.10, -0.52),
        (0.14, -0.80), (0.34, -1.06), (0.66, -1.14), (0.98, -1.0), (1.12, -0.76),
    ]
)  # fmt: skip
_WING_TOP = np.array([(0.48, -0.10), (0.32, -0.32), (0.0, -0.36), (-0.46, -0.10), (-1.04, 0.36)])
_WING_BOTTOM = np.array([(0.48, -0.10), (0.44, 0.10), (0.16, 0.25), (-0.38, 0.30), (-1.04, 0.36)])
_EYE = np.array([0.77, -0.64])
_BILL_BASE = np.array([0.95, -0.57])
_HIPS = np.array([(0.16, 0.58), (-0.12, 0.58)])
_HEAD_CENTRE = np.array([0.62, -0.58])


def draw_bird(
    attributes: dict[str, str],
    rng: np.random.Generator,
    picture_size: int = 500,
    variety: str = "full",
) -> tuple[Image.Image, tuple[float, float, float, float]]:
    """Draws one picture of a bird.

    Args:
        attributes: colours of `PARTS` by name, one of each of `SECONDARY`, and "perch".
        rng: decides pose, light, background and small deviations of shape and colour.
        picture_size: longer side in pixels.
        variety: "plain" (facing right, little jitter, even backgrounds) or "full".

    Returns:
        The picture and the bird's box (x, y, width, height) in pixels, without the perch.
    """
    full = variety == "full"
    size = np.array((picture_size, picture_size)) * _SUPERSAMPLING
    tilt = np.radians(rng.uniform(-24, -6))
    shapes = _layout(attributes, tilt, rng)
    turn = _rotation(tilt)
    low, high = _bounds(shapes, turn)
    scale = rng.uniform(0.72, 0.80) * size.min() / (high - low).max()
    mirror = -1 if full and rng.random() < 0.5 else 1
    matrix = np.diag((scale * mirror, scale)) @ turn
    centre = size * (0.5 + rng.uniform(-0.03, 0.03, 2))
    offset = centre - (low + high) / 2 * (scale * mirror, scale)

    image = scenery.background(tuple(size.tolist()), rng, full)
    painter = Painter(image, light=rng.uniform(-1, 1))
    pixels = {name: points @ matrix.T + offset for name, points in shapes.items()}
    scenery.branch(painter, rng, pixels["feet"].mean(0), scale)
    _paint(painter, pixels, attributes, rng, scale)
    low, high = (bound + offset for bound in _bounds(shapes, matrix))
    box = np.concatenate([low, high - low]) / _SUPERSAMPLING
    return image.reduce(_SUPERSAMPLING), tuple(np.round(box, 1).tolist())


def _rotation(angle: float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([(cosine, -sine), (sine, cosine)])


def _bounds(shapes: dict[str, np.ndarray], matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The corners of the bird's box after mapping its silhouette by a matrix."""
    hidden = ("mantle", "cap", "eye")
    points = np.concatenate([p for name, p in shapes.items() if name not in hidden]) @ matrix.T
    return points.min(0), points.max(0)


def _layout(
    attributes: dict[str, str], tilt: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Outlines and lines of one bird, each [N, 2], in its own coordinates."""
    plump = 1 + rng.uniform(-0.06, 0.08)
    head = _HEADS[attributes["size"]] * (1 + rng.uniform(-0.03, 0.03))

    def shaped(points: np.ndarray) -> np.ndarray:
        """Plumper or slimmer, with a larger or smaller head."""
        points = np.asarray(points, float)
        weight = np.clip(((points[..., :1] - points[..., 1:]) * 0.7 - 0.4) / 0.4, 0, 1)
        body = points * (1, plump)
        return body + weight * (points + (head - 1) * (points - _HEAD_CENTRE) - body)

    length, depth, bend = _BILLS[attributes["bill"]]
    base = shaped(_BILL_BASE)
    depth, length = depth * head, length * (1 + rng.uniform(-0.08, 0.08))
    tip = base + (length, bend)
    middle = base + (0.55 * length, 0.15 * bend)
    shapes = {
        "body": shaped(spline(_BODY, closed=True)),
        "mantle": shaped(spline(_MANTLE, closed=True)),
        "cap": shaped(spline(_CAP, closed=True)),
        "wing_top": shaped(spline(_WING_TOP, 8)),
        "wing_bottom": shaped(spline(_WING_BOTTOM, 8)),
        "eye": shaped(_EYE)[None],
        "upper_bill": spline(
            np.array([base - (0.08, depth * 0.5), middle - (0, depth * 0.38), tip]), 6
        ),
        "gape": spline(np.array([base - (0.06, -0.1 * depth), middle + (0, 0.06 * depth), tip]), 6),
        "lower_bill": spline(
            np.array([base + (-0.08, depth * 0.5), middle + (0, depth * 0.34), tip]), 6
        ),
    }
    reach = _TAILS[attributes["tail"]] * (1 + rng.uniform(-0.1, 0.1))
    droop = rng.uniform(0.40, 0.62)
    for index, fan in enumerate((-0.10, 0.10, 0.0)):
        direction = np.array([-np.cos(droop + fan), np.sin(droop + fan)])
        curve = np.array([-0.62, 0.17]) + np.linspace(0, reach + 0.25, 10)[:, None] * direction
        widths = np.array([0.20, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.17, 0.06])
        shapes[f"tail{index}"] = ribbon(curve, widths)
    if attributes["crest"] == "crest":
        tuft = [
            (0.86, -0.84),
            (0.62, -1.04),
            (0.30, -1.18),
            (0.08, -1.20),
            (0.30, -1.0),
            (0.30, -0.72),
        ]
        shapes["crest"] = shaped(spline(np.array(tuft), closed=True))
    # legs hang straight down however the body is tilted
    upright = _rotation(tilt)
    ankles = (shaped(_HIPS) @ upright.T + [(0.05, 0.36), (0.0, 0.34)]) @ upright
    shapes["hips"] = shaped(_HIPS)
    shapes["feet"] = ankles
    return shapes


def _paint(
    painter: Painter,
    pixels: dict[str, np.ndarray],
    attributes: dict[str, str],
    rng: np.random.Generator,
    unit: float,
) -> None:
    """Draws the outlines of `_layout`, by now in pixels, from back to front."""
    tones = {part: _jittered(COLOURS[attributes[part]], rng) for part in PARTS}
    belly, wing, crown = (tones[part] for part in PARTS)
    legs = _LEG_COLOURS[attributes["legs"]]
    painter.shadow(pixels["body"] + (0, 0.03 * unit), 0.07 * unit, 0.30)
    for index in range(3):
        tail = pixels[f"tail{index}"]
        edge = [(tail[: len(tail) // 2], _accent(wing, 0.2), 0.02 * unit)]
        painter.fill(tail, tint(wing, -0.14 if index < 2 else -0.06), shade=0.6, strokes=edge)
    for hip, foot in zip(pixels["hips"], pixels["feet"], strict=True):
        painter.line(np.stack([hip, foot]), tint(legs, -0.1), 0.045 * unit)
        for reach in (-0.12, 0.07, 0.15):
            toe = np.stack(
                [foot, foot + (reach * unit * 0.6, 0.0), foot + (reach * unit, 0.05 * unit)]
            )
            painter.line(toe, legs, 0.045 * unit)
    painter.fill(pixels["body"], belly, strokes=_plumage(pixels["body"], belly, rng, unit))
    body = painter.mask(pixels["body"])
    painter.fill(pixels["mantle"], tint(wing, -0.05), clip=body, soft=0.03 * unit)
    if "crest" in pixels:
        painter.fill(pixels["crest"], crown)
    painter.fill(pixels["cap"], crown, clip=body, soft=0.012 * unit)
    _paint_wing(painter, pixels, wing, attributes["wingbars"], rng, unit)
    _paint_face(painter, pixels, attributes, crown, unit)


def _paint_wing(
    painter: Painter,
    pixels: dict[str, np.ndarray],
    wing: np.ndarray,
    wingbars: str,
    rng: np.random.Generator,
    unit: float,
) -> None:
    top, bottom = pixels["wing_top"], pixels["wing_bottom"]

    def across(along: np.ndarray, share: np.ndarray) -> np.ndarray:
        """The point at `along` (0 shoulder .. 1 tip) and `share` (0 upper edge .. 1 lower edge)."""
        at = np.asarray(along) * (len(top) - 1)
        grid = np.arange(len(top))
        upper = np.stack([np.interp(at, grid, top[:, k]) for k in (0, 1)], -1)
        lower = np.stack([np.interp(at, grid, bottom[:, k]) for k in (0, 1)], -1)
        return upper + (lower - upper) * np.asarray(share)[..., None]

    outline = np.concatenate([top, bottom[::-1]])
    painter.shadow(outline + (0, 0.035 * unit), 0.03 * unit, 0.30)
    dark, light = _accent(wing, -0.28), _accent(wing, 0.16)
    strokes = []
    run = np.linspace(0.42, 1.0, 9)
    for share in np.linspace(0.12, 0.92, 7):
        strokes.append((across(run, np.full(9, share)), dark, 0.022 * unit))
        strokes.append((across(run, np.full(9, share - 0.04)), light, 0.014 * unit))
    for row in (0.16, 0.28, 0.40):
        shares = np.linspace(0.02, 0.98, 25)
        scallop = row + 0.035 * np.abs(np.sin(shares * np.pi * 5))
        strokes.append((across(scallop, shares), dark, 0.018 * unit))
    for row in {"none": (), "one": (0.42,), "two": (0.30, 0.46)}[wingbars]:
        shares = np.linspace(0.08, 0.92, 9)
        pale = tint(wing, 0.6) if wing.mean() < 200 else tint(wing, -0.25)
        strokes.append((across(row + 0.03 * np.sin(shares * np.pi), shares), pale, 0.05 * unit))
    painter.fill(outline, wing, shade=1.1, strokes=strokes)


def _paint_face(
    painter: Painter,
    pixels: dict[str, np.ndarray],
    attributes: dict[str, str],
    crown: np.ndarray,
    unit: float,
) -> None:
    bill = _BILL_COLOURS[attributes["bill_colour"]]
    gape = pixels["gape"]
    painter.fill(np.concatenate([pixels["lower_bill"], gape[::-1]]), tint(bill, -0.18))
    painter.fill(np.concatenate([pixels["upper_bill"], gape[::-1]]), bill)
    eye = pixels["eye"][0]
    ring = {"none": 0.0, "thin": 0.022, "bold": 0.045}[attributes["eyering"]]
    if ring:
        pale = (238, 234, 222) if crown.mean() < 190 else (92, 88, 84)
        painter.disc(eye, (0.082 + ring) * unit, pale)
    else:
        painter.disc(eye, 0.092 * unit, _accent(crown, -0.3))
    painter.disc(eye, 0.078 * unit, (24, 20, 20))
    painter.disc(eye + np.array([0.012, -0.028]) * unit, 0.024 * unit, (250, 250, 250))


def _plumage(
    outline: np.ndarray, colour: np.ndarray, rng: np.random.Generator, unit: float
) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Short strokes, a little lighter or darker than the feathers they lie upon."""
    low, high = outline.min(0), outline.max(0)
    number = int(np.clip(unit * 0.6, 30, 120))
    starts = rng.uniform(low, high, (number, 2))
    ends = starts + rng.uniform((-0.14, 0.02), (-0.06, 0.09), (number, 2)) * unit
    tones = [_accent(colour, -0.10), _accent(colour, 0.10)]
    return [
        (np.stack([start, end]), tones[index % 2], 0.018 * unit)
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def _accent(colour: np.ndarray, amount: float) -> np.ndarray:
    """A tone that shows upon `colour`: very dark colours only become lighter."""
    if np.mean(colour) < 60:
        return tint(colour, 0.16 if amount < 0 else 0.26)
    return tint(colour, amount)


def _jittered(colour: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    return np.clip(np.array(colour) * rng.uniform(0.95, 1.05) + rng.uniform(-5, 5, 3), 0, 255)
