"""Lays pictures out on sheets, and plots lines."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from t2i_tf.models.images import BACKGROUND, INK, attention_overlay

TILE, SMALL_TILE, PAD, LINE = 128, 64, 4, 16
FAINT = (200, 200, 200)
LINE_COLOURS = (
    (31, 119, 180),
    (255, 127, 14),
    (44, 160, 44),
    (214, 39, 40),
    (148, 103, 189),
    (140, 86, 75),
    (227, 119, 194),
    (23, 190, 207),
)


def samples_sheet(
    captions: Sequence[str],
    pictures: np.ndarray,
    real: np.ndarray,
    attention: Sequence[np.ndarray],
    words: Sequence[Sequence[str]],
) -> Image.Image:
    """Lays out each caption with its pictures of several seeds, a real one, and attention below.

    Args:
        captions: R texts.
        pictures: uint8 `[R, seeds, H, W, 3]`.
        real: A real picture of each caption, uint8 `[R, H, W, 3]`.
        attention: For each caption the maps `[h, w, T]` of its first picture.
        words: For each caption the words that its maps belong to.
    """
    seeds, text_width = pictures.shape[1], 220
    longest = max(len(row) for row in words)
    width = max(
        text_width + (seeds + 1) * (TILE + PAD) + 2 * PAD, longest * (SMALL_TILE + PAD) + PAD
    )
    row_height = TILE + SMALL_TILE + LINE + 5 * PAD
    sheet, draw = _canvas(width, LINE + PAD + len(captions) * row_height)
    small, font = ImageFont.load_default(11), ImageFont.load_default(14)
    columns = [text_width + i * (TILE + PAD) for i in range(seeds)]
    columns.append(columns[-1] + TILE + 3 * PAD)
    for x, title in zip(columns, [*(f"seed {i}" for i in range(seeds)), "real"], strict=True):
        _centred(draw, title, x, 0, TILE, font)
    for row, caption in enumerate(captions):
        top = LINE + PAD + row * row_height
        for i, line in enumerate(_wrapped(caption, font, text_width - 3 * PAD)):
            draw.text((PAD, top + i * LINE), line, fill=INK, font=font)
        for x, picture in zip(columns, [*pictures[row], real[row]], strict=True):
            sheet.paste(_resized(picture, TILE), (x, top))
        below = top + TILE + PAD
        base = np.asarray(_resized(pictures[row, 0], SMALL_TILE))
        for i, word in enumerate(words[row]):
            x = PAD + i * (SMALL_TILE + PAD)
            overlay = attention_overlay(base, attention[row][:, :, i])
            sheet.paste(Image.fromarray(overlay), (x, below))
            _centred(draw, word, x, below + SMALL_TILE, SMALL_TILE, small)
        if row:
            draw.line([(0, top - 2 * PAD), (width, top - 2 * PAD)], fill=FAINT)
    return sheet


Rows = Sequence[tuple[str, Sequence[tuple[str, np.ndarray]]]]


def labelled_rows(rows: Rows, tile: int = TILE) -> Image.Image:
    """Lays out rows of pictures, a title above each row and a label below each picture.

    Args:
        rows: (title, [(label, uint8 picture `[H, W, 3]`), ...]) of each. Long labels take several
            lines, the sheet is as wide as its longest title.
        tile: Side of a picture on the sheet, in pixels.
    """
    small, font = ImageFont.load_default(11), ImageFont.load_default(14)
    columns = max(len(tiles) for _, tiles in rows)
    labels = [[_wrapped(label, small, tile) for label, _ in tiles] for _, tiles in rows]
    lines = max((len(label) for own in labels for label in own), default=1)
    row_height = tile + (lines + 1) * LINE + 4 * PAD
    longest = max(math.ceil(font.getlength(title)) for title, _ in rows)
    width = max(columns * (tile + PAD), longest + PAD) + PAD
    sheet, draw = _canvas(width, len(rows) * row_height)
    for row, (title, tiles) in enumerate(rows):
        top = row * row_height + PAD
        draw.text((PAD, top), title, fill=INK, font=font)
        for i, (_, picture) in enumerate(tiles):
            x = PAD + i * (tile + PAD)
            sheet.paste(_resized(picture, tile), (x, top + LINE + PAD))
            for line, text in enumerate(labels[row][i]):
                _centred(draw, text, x, top + LINE + PAD + tile + line * LINE, tile, small)
    return sheet


def line_plots(
    panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]],
    x_label: str,
    width: int = 860,
    height: int = 260,
) -> Image.Image:
    """Plots lines in panels below each other, each with its axes and legend.

    Args:
        panels: Title -> name of a line -> its points (x, y), at least one in a panel.
        x_label: What x counts.
        width: Pixels of the sheet.
        height: Pixels of a panel.
    """
    sheet, draw = _canvas(width, height * len(panels))
    for number, (title, lines) in enumerate(panels.items()):
        _plot(draw, title, lines, x_label, (0, number * height, width, (number + 1) * height))
    return sheet


def _plot(draw, title, lines, x_label, box):
    font, small = ImageFont.load_default(14), ImageFont.load_default(11)
    left, top, right, bottom = box[0] + 56, box[1] + 28, box[2] - 210, box[3] - 40
    points = np.array([point for line in lines.values() for point in line], np.float64)
    x_ticks = _ticks(0.0, points[:, 0].max())
    y_ticks = _ticks(min(0.0, points[:, 1].min()), points[:, 1].max())

    def place(x, y):
        across = (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0])
        up = (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return left + across * (right - left), bottom - up * (bottom - top)

    draw.text((left, box[1] + PAD), title, fill=INK, font=font)
    for tick in y_ticks:
        y = place(x_ticks[0], tick)[1]
        draw.line([(left, y), (right, y)], fill=FAINT)
        draw.text((left - 6, y), f"{tick:g}", fill=INK, font=small, anchor="rm")
    for tick in x_ticks:
        x = place(tick, y_ticks[0])[0]
        draw.line([(x, bottom), (x, bottom + 4)], fill=INK)
        draw.text((x, bottom + 6), f"{tick:g}", fill=INK, font=small, anchor="ma")
    draw.line([(left, top), (left, bottom), (right, bottom)], fill=INK)
    draw.text(((left + right) / 2, bottom + 20), x_label, fill=INK, font=small, anchor="ma")
    for i, (name, line) in enumerate(lines.items()):
        colour = LINE_COLOURS[i % len(LINE_COLOURS)]
        path = [place(x, y) for x, y in line]
        draw.line(path, fill=colour, width=2, joint="curve")
        for x, y in path:
            draw.ellipse([x - 2, y - 2, x + 2, y + 2], fill=colour)
        y = top + i * LINE + LINE // 2
        draw.line([(right + 14, y), (right + 34, y)], fill=colour, width=3)
        draw.text((right + 40, y), name, fill=INK, font=small, anchor="lm")


def _ticks(low, high):
    """Round numbers that span low to high, at most seven steps."""
    span = (high - low) or 1.0
    step = 10.0 ** math.floor(math.log10(span / 6))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 6)
    first, last = math.floor(low / step), math.ceil((low + span) / step)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _canvas(width, height):
    sheet = Image.new("RGB", (width, height), BACKGROUND)
    return sheet, ImageDraw.Draw(sheet)


def _resized(picture, size):
    return Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC)


def _centred(draw, text, x, y, width, font):
    """One line below (x, y), cut to the width."""
    while len(text) > 1 and font.getlength(text) > width:
        text = text[:-1]
    draw.text((x + width / 2, y + 1), text, fill=INK, font=font, anchor="ma")


def _wrapped(text, font, width):
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
