"""Paints the smooth shaded shapes of drawn birds and their surroundings on a Pillow image."""

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = Sequence[float]

_LIGHT_MAP_SIZE = 16


def spline(points: np.ndarray, steps: int = 6, closed: bool = False) -> np.ndarray:
    """A Catmull-Rom curve through control points.

    Args:
        points: [N, 2].
        steps: points of the result per control point.
        closed: whether the curve returns to its first point.

    Returns:
        [N * steps, 2] if closed, else [(N - 1) * steps + 1, 2].
    """
    points = np.asarray(points, float)
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([points[:1], points, points[-1:]])
    p0, p1, p2, p3 = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    t = np.arange(steps)[None, :, None] / steps
    curve = 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    ).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def tint(colour: Colour, amount: float) -> np.ndarray:
    """Moves a colour towards white (amount in 0..1) or black (amount in -1..0)."""
    colour = np.asarray(colour, float)
    return colour + (255 - colour) * amount if amount >= 0 else colour * (1 + amount)


def rgb(colour: Colour) -> tuple[int, int, int]:
    """Rounds a colour to the integers that Pillow takes."""
    return tuple(min(max(int(c + 0.5), 0), 255) for c in np.asarray(colour).tolist())


class Painter:
    """Draws shapes given in pixels on an RGB image; light falls from above."""

    def __init__(self, image: Image.Image, light: float = 0.0):
        """
        Args:
            image: RGB, drawn upon in place.
            light: where the light comes from, -1 (left) to 1 (right).
        """
        self.image = image
        self.draw = ImageDraw.Draw(image)
        self._light = round(light, 1)

    def mask(self, outline: np.ndarray) -> Image.Image:
        """The inside of an outline [N, 2] as an image of mode L, of the picture's size."""
        mask = Image.new("L", self.image.size)
        ImageDraw.Draw(mask).polygon(_flat(outline), fill=255)
        return mask

    def fill(
        self,
        outline: np.ndarray,
        colour: Colour,
        *,
        shade: float = 1.0,
        clip: Image.Image | None = None,
        soft: float = 0.0,
        strokes: Sequence[tuple[np.ndarray, Colour, float]] = (),
    ) -> None:
        """Fills an outline with a colour as though it were the near half of an ellipsoid.

        Args:
            outline: [N, 2], in pixels.
            colour: RGB, 0..255.
            shade: strength of light and shadow.
            clip: mode L, of the picture's size: nothing is drawn where it is 0.
            soft: radius in pixels by which the edge is blurred.
            strokes: lines (points [M, 2], colour, width) drawn within the outline.
        """
        margin = int(2 * soft) + 1
        left, top = np.floor(outline.min(0)).astype(int) - margin
        right, bottom = np.ceil(outline.max(0)).astype(int) + margin + 1
        left, top = max(left, 0), max(top, 0)
        right, bottom = min(right, self.image.width), min(bottom, self.image.height)
        if right <= left or bottom <= top:
            return
        size = (int(right - left), int(bottom - top))
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).polygon(_flat(outline - (left, top)), fill=255)
        if soft >= 0.5:
            mask = mask.filter(ImageFilter.BoxBlur(float(soft)))
        box = tuple(int(edge) for edge in (left, top, right, bottom))
        if clip is not None:
            mask = ImageChops.multiply(mask, clip.crop(box))
        inside = _lit(colour, self._light, shade).resize(size, Image.Resampling.BILINEAR)
        draw = ImageDraw.Draw(inside)
        for points, stroke, width in strokes:
            draw.line(
                _flat(points - (left, top)),
                fill=rgb(stroke),
                width=max(round(width), 1),
                joint="curve",
            )
        self.image.paste(inside, box[:2], mask)

    def line(self, points: np.ndarray, colour: Colour, width: float) -> None:
        """Draws a curve [N, 2] with round ends."""
        self.draw.line(_flat(points), fill=rgb(colour), width=max(round(width), 1), joint="curve")
        if width >= 3:
            for end in (points[0], points[-1]):
                self.disc(end, width / 2, colour)

    def disc(self, centre: np.ndarray, radius: float, colour: Colour) -> None:
        """Draws a filled circle."""
        x, y = centre
        self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=rgb(colour))

    def shadow(self, outline: np.ndarray, radius: float, darkness: float) -> None:
        """Darkens the picture softly in and around an outline [N, 2]."""
        scale = 4
        left, top = np.floor(outline.min(0) - 2 * radius).astype(int)
        right, bottom = np.ceil(outline.max(0) + 2 * radius).astype(int)
        size = (int(right - left), int(bottom - top))
        small = Image.new("L", (size[0] // scale + 1, size[1] // scale + 1))
        ImageDraw.Draw(small).polygon(
            _flat((outline - (left, top)) / scale), fill=int(255 * darkness)
        )
        small = small.filter(ImageFilter.GaussianBlur(float(radius / scale)))
        self.image.paste(
            (28, 30, 26), (int(left), int(top)), small.resize(size, Image.Resampling.BILINEAR)
        )


def ribbon(curve: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """The outline [2N, 2] of a band along a curve [N, 2] of the given widths [N]."""
    along = np.gradient(curve, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], 1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    offset = normal * np.asarray(widths)[:, None] / 2
    return np.concatenate([curve - offset, (curve + offset)[::-1]])


def leaf_outline(at: np.ndarray, angle: float, length: float) -> np.ndarray:
    """The outline [18, 2] of a leaf that grows from `at` in the direction `angle`, in radians."""
    along = np.linspace(0, 1, 9)
    direction = np.array([np.cos(angle), np.sin(angle)])
    sag = np.stack([np.zeros(9), 0.12 * length * along**2], 1)
    return ribbon(
        at + along[:, None] * length * direction + sag, length * 0.42 * np.sin(np.pi * along) ** 0.8
    )


def _flat(points: np.ndarray) -> list[float]:
    return np.asarray(points, float).ravel().tolist()


@functools.lru_cache(maxsize=64)
def _light_map(light: float) -> np.ndarray:
    """How much an ellipsoid's near half is brightened (> 0) or darkened (< 0), [S, S, 1]."""
    axis = np.linspace(-1, 1, _LIGHT_MAP_SIZE)
    x, y = np.meshgrid(axis, axis)
    z = np.sqrt(np.maximum(1.25 - x**2 - y**2, 0.05))
    normal = np.stack([x, y, z], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    source = np.array([0.5 * light, -0.8, 0.65])
    source /= np.linalg.norm(source)
    return np.maximum(normal @ source - 0.62, -1.0)[..., None]


def _lit(colour: Colour, light: float, shade: float) -> Image.Image:
    level = _light_map(light) * shade
    colour = np.asarray(colour, float)
    lit = colour + (255 - colour) * 0.45 * np.maximum(level, 0)
    lit *= 1 + 0.32 * np.minimum(level, 0)
    return Image.fromarray(np.clip(lit + 0.5, 0, 255).astype(np.uint8))
