"""Paints the feathers, face and legs of a bird that `birds` has laid out."""

import numpy as np

from data_pipeline.drawn.painting import Painter, tint

_BILL_COLOURS = {"dark": (58, 56, 58), "horn": (128, 118, 108), "ochre": (186, 152, 100)}
_LEG_COLOURS = {"dark": (66, 60, 58), "pale": (176, 148, 126), "strong": (98, 88, 82)}
_LEG_WIDTHS = {"dark": 0.042, "pale": 0.038, "strong": 0.06}
_EYERINGS = {"none": 0.0, "thin": 0.020, "bold": 0.036}
_WINGBARS = {"none": (), "one": (0.43,), "two": (0.30, 0.46)}

# a line within an outline: points [N, 2], colour, width
Stroke = tuple[np.ndarray, np.ndarray, float]


def paint(
    painter: Painter,
    pixels: dict[str, np.ndarray],
    attributes: dict[str, str],
    colours: dict[str, tuple[int, int, int]],
    rng: np.random.Generator,
    unit: float,
) -> None:
    """Draws a bird from back to front.

    Args:
        painter: of the picture.
        pixels: outlines and lines of the bird's parts, each [N, 2], in pixels.
        attributes: the bird's.
        colours: of belly, wing and crown.
        rng: decides small deviations of the colours, and where single feathers show.
        unit: pixels per unit of the bird's own coordinates.
    """
    belly, wing, crown = (_jittered(colours[part], rng) for part in ("belly", "wing", "crown"))
    painter.shadow(pixels["body"] + (0, 0.03 * unit), 0.07 * unit, 0.28)
    _paint_tail(painter, pixels, wing, unit)
    _paint_legs(painter, pixels, attributes["legs"], unit)
    painter.fill(pixels["body"], belly, strokes=_down(pixels["body"], belly, rng, unit))
    body = painter.mask(pixels["body"])
    painter.fill(pixels["mantle"], tint(wing, -0.05), clip=body, soft=0.03 * unit)
    if "crest" in pixels:
        painter.fill(pixels["crest"], crown, strokes=_barbs(pixels["crest"], crown, unit))
    painter.fill(
        pixels["cap"],
        crown,
        clip=body,
        soft=0.016 * unit,
        strokes=_down(pixels["cap"], crown, rng, unit),
    )
    _paint_wing(painter, pixels, wing, attributes["wingbars"], unit)
    _paint_bill(painter, pixels, attributes["bill_colour"])
    _paint_eye(painter, pixels["eye"][0], crown, _EYERINGS[attributes["eyering"]], unit)


def _paint_tail(
    painter: Painter, pixels: dict[str, np.ndarray], wing: np.ndarray, unit: float
) -> None:
    for index, shadow in enumerate((-0.16, -0.10, -0.02)):
        tail = pixels[f"tail{index}"]
        half = len(tail) // 2
        shaft = (tail[:half] + tail[half:][::-1]) / 2
        strokes = [
            (tail[:half], _accent(wing, -0.25), 0.03 * unit),
            (shaft, _accent(wing, 0.14), 0.014 * unit),
        ]
        painter.fill(tail, tint(wing, shadow), shade=0.6, strokes=strokes)


def _paint_legs(painter: Painter, pixels: dict[str, np.ndarray], legs: str, unit: float) -> None:
    colour, width = np.array(_LEG_COLOURS[legs]), _LEG_WIDTHS[legs] * unit
    toes = pixels["toes"].reshape(2, 3, 2)
    for hip, foot, ends in zip(pixels["hips"], pixels["feet"], toes, strict=True):
        painter.line(np.stack([hip, foot]), tint(colour, -0.12), width)
        for end in ends:
            knuckle = (foot + end) / 2 - (0, 0.02 * unit)
            painter.line(np.stack([foot, knuckle, end]), colour, width)


def _paint_wing(
    painter: Painter, pixels: dict[str, np.ndarray], wing: np.ndarray, wingbars: str, unit: float
) -> None:
    top, bottom = pixels["wing_top"], pixels["wing_bottom"]
    grid = np.arange(len(top))

    def across(along: np.ndarray, share: np.ndarray | float) -> np.ndarray:
        """Points at `along` (0 shoulder .. 1 tip) and `share` (0 upper edge .. 1 lower edge)."""
        at = along * grid[-1]
        upper = np.stack([np.interp(at, grid, top[:, k]) for k in (0, 1)], -1)
        lower = np.stack([np.interp(at, grid, bottom[:, k]) for k in (0, 1)], -1)
        return upper + (lower - upper) * (np.zeros_like(along) + share)[:, None]

    outline = np.concatenate([top, bottom[::-1]])
    painter.shadow(outline + (0, 0.035 * unit), 0.03 * unit, 0.30)
    dark, light = _accent(wing, -0.24), _accent(wing, 0.15)
    strokes: list[Stroke] = []
    run = np.linspace(0.44, 1.0, 9)
    for share in np.linspace(0.14, 0.90, 6):
        strokes.append((across(run, share - 0.05), light, 0.016 * unit))
        strokes.append((across(run, share), dark, 0.020 * unit))
    shares = np.linspace(0.0, 1.0, 31)
    for row, lobes in ((0.47, 5), (0.34, 5), (0.22, 4), (0.11, 3)):
        # feather tips: rounded towards the wing's end, staggered from row to row
        wave = np.abs(np.sin((shares + 0.5 * (lobes % 2) / lobes) * np.pi * lobes)) ** 0.6
        edge = row - 0.03 + 0.05 * wave
        strokes.append((across(edge - 0.02, shares), light, 0.016 * unit))
        strokes.append((across(edge, shares), dark, 0.016 * unit))
    pale = tint(wing, 0.62) if wing.mean() < 200 else tint(wing, -0.25)
    shares = np.linspace(0.08, 0.94, 9)
    for row in _WINGBARS[wingbars]:
        bar = across(row + 0.03 * np.sin(shares * np.pi), shares)
        strokes.append((bar, pale, 0.048 * unit))
    painter.fill(outline, wing, shade=1.1, strokes=strokes)


def _paint_bill(painter: Painter, pixels: dict[str, np.ndarray], bill_colour: str) -> None:
    bill = np.array(_BILL_COLOURS[bill_colour])
    gape = pixels["gape"][::-1]
    painter.fill(np.concatenate([pixels["lower_bill"], gape]), tint(bill, -0.2))
    painter.fill(np.concatenate([pixels["upper_bill"], gape]), tint(bill, 0.04))


def _paint_eye(
    painter: Painter, eye: np.ndarray, crown: np.ndarray, ring: float, unit: float
) -> None:
    if ring:
        pale = np.array((236, 232, 220)) if crown.mean() < 190 else np.array((104, 98, 92))
        painter.disc(eye, (0.074 + ring) * unit, pale)
    else:
        painter.disc(eye, 0.088 * unit, _accent(crown, -0.35))
    painter.disc(eye, 0.074 * unit, np.array((26, 20, 18)))
    painter.disc(eye + np.array([0.0, 0.022]) * unit, 0.040 * unit, np.array((62, 48, 40)))
    painter.disc(eye, 0.040 * unit, np.array((16, 13, 12)))
    painter.disc(eye + np.array([0.012, -0.028]) * unit, 0.022 * unit, np.array((250, 250, 250)))


def _down(
    outline: np.ndarray, colour: np.ndarray, rng: np.random.Generator, unit: float
) -> list[Stroke]:
    """Small curved feather tips, hardly lighter or darker than the feathers around them."""
    low, high = outline.min(0), outline.max(0)
    area = float((high - low).prod()) / unit**2
    number = int(np.clip(area * unit * 0.25, 12, 170))
    centres = rng.uniform(low, high, (number, 1, 2))
    across = np.linspace(-1, 1, 5)
    arc = np.stack([0.034 * across, 0.020 * (1 - across**2) - 0.01], 1) * unit
    tones = (_accent(colour, -0.07), _accent(colour, 0.07))
    return [(tip, tones[index % 2], 0.010 * unit) for index, tip in enumerate(centres + arc)]


def _barbs(outline: np.ndarray, colour: np.ndarray, unit: float) -> list[Stroke]:
    """Lines along a tuft, from its root to its tip."""
    root, tip = outline[0], outline[len(outline) // 2]
    bends = outline[[len(outline) // 4, len(outline) * 3 // 4]]
    return [
        (
            np.stack([root, bends[0] * (1 - s) + bends[1] * s, tip]),
            _accent(colour, -0.2),
            0.014 * unit,
        )
        for s in (0.3, 0.55, 0.8)
    ]


def _accent(colour: np.ndarray, amount: float) -> np.ndarray:
    """A tone that shows upon `colour`: very dark colours only become lighter."""
    if np.mean(colour) < 60:
        return tint(colour, 0.05 if amount < 0 else 0.04 + 0.6 * amount)
    return tint(colour, amount)


def _jittered(colour: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    return np.clip(np.array(colour) * rng.uniform(0.95, 1.05) + rng.uniform(-5, 5, 3), 0, 255)
