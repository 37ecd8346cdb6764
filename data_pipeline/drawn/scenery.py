"""Backgrounds for drawn birds, in muted tones that no caption names."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from data_pipeline.drawn.painting import leaf_outline, rgb, spline, tint

BACKDROPS = ("pale", "dark", "leafy")
# (above, below): sky, pale grey, beige, sage, dusk, mist, stone, straw
_TONES = (
    ((188, 203, 212), (210, 216, 216)),
    ((196, 198, 198), (178, 181, 181)),
    ((213, 205, 190), (196, 187, 170)),
    ((186, 196, 178), (164, 176, 156)),
    ((172, 182, 188), (190, 192, 188)),
    ((204, 210, 204), (182, 190, 180)),
    ((190, 184, 176), (170, 166, 158)),
    ((208, 206, 188), (186, 188, 166)),
)
# darker ones, for the full variety: wood, thicket, evening, pond, reed
_DEEP_TONES = (
    ((122, 132, 116), (146, 152, 132)),
    ((136, 146, 128), (104, 114, 100)),
    ((150, 148, 150), (176, 168, 158)),
    ((138, 152, 158), (158, 168, 166)),
    ((168, 162, 136), (134, 134, 112)),
)


def background(
    size: tuple[int, int], rng: np.random.Generator, backdrop: str | None
) -> Image.Image:
    """Draws the scenery behind the bird, out of focus.

    Args:
        size: width and height in pixels.
        rng: decides tones and blots.
        backdrop: one of `BACKDROPS`, all with discs of light, "leafy" also with twigs and leaves;
            None is nearly even.
    """
    tones = {"dark": _DEEP_TONES, "leafy": _TONES + _DEEP_TONES}.get(backdrop, _TONES)
    above, below = (np.array(tone, float) for tone in tones[int(rng.integers(len(tones)))])
    shift = rng.uniform(-16, 10) - 40 * (backdrop == "dark")
    above, below = above + shift, below + shift
    if rng.random() < 0.3:
        above, below = below, above
    small = (max(size[0] // 8, 16), max(size[1] // 8, 16))
    ramp = np.linspace(0, 1, small[1])[:, None, None] * np.ones((1, small[0], 1))
    image = Image.fromarray(np.clip(above + (below - above) * ramp, 0, 255).astype(np.uint8))
    middle = (above + below) / 2
    if backdrop:
        _blots(image, rng, middle, int(rng.integers(8, 18)), (0.08, 0.26), (-0.30, 0.22), 0.035)
        if backdrop == "leafy":
            _stems(image, rng, middle)
        _blots(image, rng, middle, int(rng.integers(4, 16)), (0.02, 0.075), (0.10, 0.42), 0.006)
    else:
        _blots(image, rng, middle, int(rng.integers(2, 6)), (0.06, 0.22), (-0.10, 0.12), 0.06)
    return image.resize(size, Image.Resampling.BICUBIC)


def _blots(
    image: Image.Image,
    rng: np.random.Generator,
    tone: np.ndarray,
    number: int,
    radii: tuple[float, float],
    tints: tuple[float, float],
    blur: float,
) -> None:
    """Lays soft discs over the image; radii and blur are shares of its longer side."""
    reach = max(image.size)
    over = image.copy()
    draw = ImageDraw.Draw(over, "RGBA")
    for _ in range(number):
        x, y = rng.uniform(0, 1, 2) * image.size
        radius = reach * rng.uniform(*radii)
        colour = (*rgb(tint(tone, rng.uniform(*tints))), int(rng.integers(50, 130)))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    image.paste(over.filter(ImageFilter.GaussianBlur(reach * blur)))


def _stems(image: Image.Image, rng: np.random.Generator, tone: np.ndarray) -> None:
    """Twigs and leaves far behind."""
    reach = max(image.size)
    draw = ImageDraw.Draw(image)
    colour = rgb(tint(tone, rng.uniform(-0.42, -0.22)))
    for _ in range(int(rng.integers(3, 6))):
        ends = rng.uniform(-0.1, 1.1, (3, 2)) * image.size
        curve = spline(ends, 8)
        draw.line(curve.ravel().tolist(), fill=colour, width=max(reach // 45, 1), joint="curve")
        for x, y in curve[:: int(rng.integers(3, 6))]:
            length, angle = reach * rng.uniform(0.05, 0.10), rng.uniform(0, 2 * np.pi)
            leaf = leaf_outline(np.array([x, y]), angle, length)
            draw.polygon(leaf.ravel().tolist(), fill=colour)
    image.paste(image.filter(ImageFilter.GaussianBlur(reach * rng.uniform(0.012, 0.025))))
