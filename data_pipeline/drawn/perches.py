"""Perches and ground for drawn birds, in muted tones that no caption names."""

import numpy as np

from data_pipeline.drawn.painting import Painter, leaf_outline, ribbon, spline, tint

PERCHES = ("branch", "ground", "rock", "stump")
_BARK = ((104, 92, 80), (124, 112, 98), (90, 84, 78), (136, 124, 108))
_LEAF = ((118, 132, 104), (134, 142, 112), (104, 122, 104), (148, 150, 120))
_EARTH = ((150, 140, 122), (138, 136, 116), (160, 154, 140), (128, 132, 110))
_STONE = ((150, 148, 144), (166, 160, 150), (128, 130, 130))


def perch(
    kind: str,
    painter: Painter,
    rng: np.random.Generator,
    feet: np.ndarray,
    unit: float,
    variety: str,
) -> None:
    """Draws what the bird stands on.

    Args:
        kind: one of `PERCHES`.
        painter: of the picture.
        rng: decides form and tone.
        feet: where the bird stands, [2, 2], in pixels.
        unit: pixels per unit of the bird's own coordinates.
        variety: "full" has more leaves.
    """
    foot = feet.mean(0) + (0, 0.02 * unit)
    if kind == "branch":
        _branch(painter, rng, foot, unit, 7 if variety == "full" else 3)
    elif kind == "ground":
        _ground(painter, rng, foot, unit)
    elif kind == "rock":
        _rock(painter, rng, foot, unit)
    else:
        _stump(painter, rng, foot, unit)


def foreground(
    painter: Painter, rng: np.random.Generator, kind: str, feet: np.ndarray, unit: float
) -> None:
    """Draws blades of grass in front of a bird that stands on the ground."""
    if kind != "ground":
        return
    width, height = painter.image.size
    colour = np.array(_LEAF[int(rng.integers(len(_LEAF)))])
    foot = feet.mean(0)
    for _ in range(int(rng.integers(8, 26))):
        x = rng.uniform(0, width)
        low = rng.uniform(foot[1] + 0.1 * unit, max(height, foot[1] + 0.3 * unit))
        # short near the bird, so that none crosses it
        tall = rng.uniform(0.08, 0.22 if abs(x - foot[0]) < 1.3 * unit else 0.45) * unit
        lean = rng.uniform(-0.12, 0.12) * unit
        curve = spline(
            np.array([(x, low), (x + 0.3 * lean, low - 0.6 * tall), (x + lean, low - tall)])
        )
        widths = np.linspace(0.035, 0.006, len(curve)) * unit
        painter.fill(ribbon(curve, widths), tint(colour, rng.uniform(-0.2, 0.15)), shade=0)


def _branch(
    painter: Painter, rng: np.random.Generator, foot: np.ndarray, unit: float, leaves: int
) -> None:
    """A branch through the whole picture."""
    width, _ = painter.image.size
    thick = unit * rng.uniform(0.10, 0.17)
    slope = rng.uniform(-0.12, 0.12)
    xs = np.sort([-0.1 * width, 0.25 * width, foot[0], 0.75 * width, 1.1 * width])
    ys = foot[1] + thick * 0.45 + slope * (xs - foot[0])
    ys += rng.normal(0, 0.03 * unit, 5) * (np.abs(xs - foot[0]) > 0.1 * width)
    curve = spline(np.stack([xs, ys], 1), 10)
    widths = np.linspace(1.25, 0.75, len(curve)) * thick
    if rng.random() < 0.5:
        widths = widths[::-1]
    bark = np.array(_BARK[int(rng.integers(len(_BARK)))]) + rng.uniform(-8, 8)
    leaf = np.array(_LEAF[int(rng.integers(len(_LEAF)))])
    spots = [curve[int(rng.integers(len(curve)))] for _ in range(int(rng.integers(0, leaves + 1)))]
    for at in spots:
        if abs(at[0] - foot[0]) > 0.9 * unit:
            side = -1 if rng.random() < 0.65 else 1
            angle = side * rng.uniform(0.5, 2.6)
            length = unit * rng.uniform(0.24, 0.42)
            tip = _twig(painter, at, angle, 0.3 * length, bark, unit)
            _leaf(
                painter,
                tip,
                angle + rng.uniform(-0.4, 0.4),
                length,
                tint(leaf, rng.uniform(-0.12, 0.12)),
            )
    _log(painter, curve, widths, bark, rng)


def _log(
    painter: Painter,
    curve: np.ndarray,
    widths: np.ndarray,
    bark: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """A round piece of wood along a curve [N, 2] of the given widths [N], lit from above."""
    for share, place, tone in ((1.0, 0.0, -0.3), (0.8, -0.08, 0.0), (0.3, -0.22, 0.2)):
        shift = np.stack([np.zeros_like(widths), place * widths], 1)
        painter.fill(ribbon(curve + shift, widths * share), tint(bark, tone), shade=0)
    for _ in range(int(rng.integers(4, 12))):
        start = int(rng.integers(0, max(len(curve) - 6, 1)))
        piece = slice(start, start + int(rng.integers(3, 7)))
        lift = np.stack([np.zeros_like(widths), rng.uniform(-0.3, 0.4) * widths], 1)[piece]
        painter.line(
            curve[piece] + lift, tint(bark, rng.uniform(-0.25, -0.1)), 0.06 * widths.mean()
        )


def _twig(
    painter: Painter, at: np.ndarray, angle: float, length: float, bark: np.ndarray, unit: float
) -> np.ndarray:
    tip = at + length * np.array([np.cos(angle), np.sin(angle)])
    painter.line(np.stack([at, tip]), tint(bark, -0.1), 0.03 * unit)
    return tip


def _leaf(
    painter: Painter, at: np.ndarray, angle: float, length: float, colour: np.ndarray
) -> None:
    outline = leaf_outline(at, angle, length)
    half = len(outline) // 2
    painter.fill(outline, colour, shade=0.5)
    vein = (outline[:half] + outline[half:][::-1]) / 2
    painter.line(vein, tint(colour, 0.2), 0.04 * length)


def _ground(painter: Painter, rng: np.random.Generator, foot: np.ndarray, unit: float) -> None:
    """Open ground up to a soft horizon, with pebbles."""
    width, height = painter.image.size
    earth = np.array(_EARTH[int(rng.integers(len(_EARTH)))]) + rng.uniform(-10, 10)
    horizon = foot[1] - unit * rng.uniform(0.15, 0.6)
    xs = np.linspace(-0.1, 1.1, 6) * width
    line = spline(np.stack([xs, horizon + rng.normal(0, 0.03 * unit, 6)], 1))
    below = np.array([(1.1 * width, height + unit), (-0.1 * width, height + unit)])
    painter.fill(np.concatenate([line, below]), earth, shade=0.4, soft=0.06 * unit)
    for _ in range(int(rng.integers(10, 40))):
        x, y = rng.uniform(0, width), rng.uniform(min(horizon + 0.1 * unit, height), height + 1)
        nearness = (y - horizon) / max(height - horizon, 1)
        radius = unit * (0.015 + 0.05 * nearness) * rng.uniform(0.5, 1.2)
        stone = _ellipse((x, y), radius * 1.5, radius)
        painter.fill(stone, tint(earth, rng.uniform(-0.2, 0.2)), shade=0.8)
    painter.shadow(_ellipse(foot + (0, 0.03 * unit), 0.75 * unit, 0.09 * unit), 0.08 * unit, 0.5)


def _rock(painter: Painter, rng: np.random.Generator, foot: np.ndarray, unit: float) -> None:
    _, height = painter.image.size
    stone = np.array(_STONE[int(rng.integers(len(_STONE)))]) + rng.uniform(-8, 8)
    reach = unit * rng.uniform(0.8, 1.5)
    bottom = max(height, foot[1]) + unit
    rough = rng.uniform(-0.05, 0.05, 6) * unit
    outline = spline(
        foot
        + np.array(
            [
                (-1.25 * reach, bottom - foot[1]),
                (-1.05 * reach, 0.40 * unit + rough[0]),
                (-0.70 * reach, 0.14 * unit + rough[1]),
                (-0.30 * reach, 0.02 * unit),
                (0.30 * reach, 0.02 * unit),
                (0.75 * reach, 0.16 * unit + rough[2]),
                (1.10 * reach, 0.46 * unit + rough[3]),
                (1.30 * reach, bottom - foot[1]),
            ]
        ),
        closed=True,
    )
    ledges = []
    for _ in range(int(rng.integers(5, 11))):
        start = foot + rng.uniform((-1.1 * reach, 0.12 * unit), (0.8 * reach, 1.2 * unit))
        steps = rng.uniform((0.08, -0.02), (0.2, 0.05), (3, 2)) * unit
        ledge = np.concatenate([[start], start + np.cumsum(steps, 0)])
        ledges.append(
            (ledge, tint(stone, rng.uniform(-0.12, 0.10)), rng.uniform(0.02, 0.07) * unit)
        )
    painter.fill(outline, stone, shade=0.7, strokes=ledges)
    painter.shadow(_ellipse(foot + (0, 0.05 * unit), 0.5 * unit, 0.05 * unit), 0.06 * unit, 0.4)


def _stump(painter: Painter, rng: np.random.Generator, foot: np.ndarray, unit: float) -> None:
    _, height = painter.image.size
    bark = np.array(_BARK[int(rng.integers(len(_BARK)))]) + rng.uniform(-8, 8)
    half = unit * rng.uniform(0.34, 0.55)
    top = foot[1] + 0.03 * unit
    bottom = max(height, top) + unit
    sides = np.array(
        [
            (foot[0] - half, top),
            (foot[0] + half, top),
            (foot[0] + 1.15 * half, bottom),
            (foot[0] - 1.15 * half, bottom),
        ]
    )
    furrows = []
    for x in np.linspace(-0.9, 0.9, 9) + rng.uniform(-0.06, 0.06, 9):
        ys = np.linspace(top, bottom, 8)
        xs = foot[0] + x * half + rng.normal(0, 0.012 * unit, 8)
        furrows.append((np.stack([xs, ys], 1), tint(bark, -0.28 - 0.2 * abs(x)), 0.03 * unit))
    painter.fill(sides, bark, shade=0.3, strokes=furrows)
    wood = tint(bark, 0.35)
    painter.fill(_ellipse((foot[0], top), half, 0.12 * unit), tint(bark, -0.1), shade=0)
    for share in (0.9, 0.6, 0.3):
        ring = _ellipse((foot[0], top), half * share, 0.12 * unit * share)
        painter.fill(ring, tint(wood, -0.12 * (0.9 - share)), shade=0)
    painter.shadow(_ellipse(foot + (0, 0.03 * unit), 0.3 * unit, 0.04 * unit), 0.05 * unit, 0.35)


def _ellipse(centre: np.ndarray, across: float, down: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 25)[:-1]
    return np.asarray(centre) + np.stack([across * np.cos(angle), down * np.sin(angle)], 1)
