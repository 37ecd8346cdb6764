"""Backgrounds and perches for drawn birds, in muted tones that no caption names."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from data_pipeline.painting import Painter, ribbon, rgb, spline, tint

# (above, below): soft sky, pale grey, beige, sage, dusk, mist, stone, straw
_PLAIN = (
    ((188, 203, 212), (210, 216, 216)),
    ((196, 198, 198), (178, 181, 181)),
    ((213, 205, 190), (196, 187, 170)),
    ((186, 196, 178), (164, 176, 156)),
    ((172, 182, 188), (190, 192, 188)),
    ((204, 210, 204), (182, 190, 180)),
    ((190, 184, 176), (170, 166, 158)),
    ((208, 206, 188), (186, 188, 166)),
)
_BARK = ((104, 92, 80), (124, 112, 98), (90, 84, 78), (136, 124, 108))
_LEAF = ((118, 132, 104), (134, 142, 112), (104, 122, 104), (148, 150, 120))


def background(size: tuple[int, int], rng: np.random.Generator, full: bool) -> Image.Image:
    """Draws what is out of focus behind the bird.

    Args:
        size: width and height in pixels.
        rng: decides tones and blots.
        full: richer, with discs of light and foliage, against nearly even.
    """
    above, below = (np.array(tone, float) for tone in _PLAIN[int(rng.integers(len(_PLAIN)))])
    shift = rng.uniform(-16, 10)
    above, below = above + shift, below + shift
    if rng.random() < 0.3:
        above, below = below, above
    small = (max(size[0] // 8, 16), max(size[1] // 8, 16))
    ramp = np.linspace(0, 1, small[1])[:, None, None] * np.ones((1, small[0], 1))
    image = Image.fromarray(np.clip(above + (below - above) * ramp, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image, "RGBA")
    reach = max(small)
    for _ in range(int(rng.integers(10, 22)) if full else int(rng.integers(2, 6))):
        radius = reach * rng.uniform(0.05, 0.22)
        x, y = rng.uniform(0, small[0]), rng.uniform(0, small[1])
        tone = tint(
            (above + below) / 2, rng.uniform(-0.3, 0.3) if full else rng.uniform(-0.1, 0.12)
        )
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(*rgb(tone), 120))
    image = image.filter(ImageFilter.GaussianBlur(reach * (0.025 if full else 0.06)))
    return image.resize(size, Image.Resampling.BICUBIC)


def branch(painter: Painter, rng: np.random.Generator, foot: np.ndarray, unit: float) -> None:
    """Draws a branch through the whole picture, with a few leaves, its upper edge at `foot`.

    Args:
        painter: of the picture.
        rng: decides slope, bark and leaves.
        foot: where the bird stands, [2], in pixels.
        unit: pixels a unit of the bird's length.
    """
    width, _ = painter.image.size
    thick = unit * rng.uniform(0.10, 0.17)
    slope = rng.uniform(-0.12, 0.12)
    xs = np.array([-0.1 * width, 0.25 * width, foot[0], 0.75 * width, 1.1 * width])
    xs.sort()
    ys = foot[1] + thick * 0.45 + slope * (xs - foot[0])
    ys += rng.normal(0, 0.03 * unit, 5) * (np.abs(xs - foot[0]) > 0.1 * width)
    curve = spline(np.stack([xs, ys], 1))
    widths = np.linspace(1.25, 0.75, len(curve)) * thick
    if rng.random() < 0.5:
        widths = widths[::-1]
    bark = np.array(_BARK[int(rng.integers(len(_BARK)))]) + rng.uniform(-8, 8)
    painter.fill(ribbon(curve, widths), tint(bark, -0.3), shade=0)
    painter.fill(ribbon(curve - (0, 0.08 * thick), widths * 0.8), bark, shade=0)
    painter.fill(ribbon(curve - (0, 0.22 * thick), widths * 0.3), tint(bark, 0.22), shade=0)
    leaf = _LEAF[int(rng.integers(len(_LEAF)))]
    for _ in range(int(rng.integers(0, 4))):
        at = curve[int(rng.integers(len(curve)))]
        if abs(at[0] - foot[0]) > 0.9 * unit:
            _leaf(
                painter,
                at,
                rng.uniform(-2.6, -0.5) + np.pi * int(rng.random() < 0.4),
                unit,
                leaf,
                rng,
            )


def _leaf(
    painter: Painter,
    at: np.ndarray,
    angle: float,
    unit: float,
    colour: tuple[int, int, int],
    rng: np.random.Generator,
) -> None:
    length = unit * rng.uniform(0.22, 0.36)
    direction = np.array([np.cos(angle), np.sin(angle)])
    curve = at + np.linspace(0, length, 9)[:, None] * direction
    widths = length * 0.42 * np.sin(np.linspace(0, np.pi, 9)) ** 0.8
    painter.fill(ribbon(curve, widths), tint(colour, rng.uniform(-0.12, 0.12)), shade=0.5)
    painter.line(curve, tint(colour, 0.22), 0.012 * unit)
