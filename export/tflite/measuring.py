"""Measures a TFLite file: how far its pictures are from Keras', its size and its speed."""

import dataclasses
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from export.tflite.convert import SIGNATURE

MEGABYTE = 1e6


@dataclasses.dataclass(frozen=True)
class Measured:
    """One written file.

    Attributes:
        variant: `"float32"`, `"float16"`, `"dynamic"` or `"int8"`.
        path: The file.
        size_mb: Its size, in millions of bytes.
        max_difference: Largest difference from Keras' pictures, in levels of 0 to 255.
        mean_difference: Mean absolute difference, in levels.
        psnr: Peak signal-to-noise ratio of all pictures together, dB; None if they are equal.
        median_s: Median time of a picture.
    """

    variant: str
    path: Path
    size_mb: float
    max_difference: int
    mean_difference: float
    psnr: float | None
    median_s: float


def measure(
    variant: str, path: Path, tokens: np.ndarray, noise: np.ndarray, expected: np.ndarray
) -> Measured:
    """Draws with a TFLite file, on all cores, and compares.

    Args:
        variant: Its name.
        path: The file.
        tokens: int32 `[N, T]`.
        noise: float32 `[N, Z]`.
        expected: Keras' pictures, uint8 `[N, H, W, 3]`.
    """
    interpreter = Interpreter(str(path), num_threads=os.cpu_count())
    draw = interpreter.get_signature_runner(SIGNATURE)
    draw(tokens=tokens[:1], noise=noise[:1])
    seconds, squares, total, largest = [], 0.0, 0.0, 0
    for row in range(len(tokens)):
        start = time.perf_counter()
        image = draw(tokens=tokens[row : row + 1], noise=noise[row : row + 1])["image"][0]
        seconds.append(time.perf_counter() - start)
        difference = np.abs(image.astype(int) - expected[row])
        squares += float(np.mean(np.square(difference))) / len(tokens)
        total += float(np.mean(difference)) / len(tokens)
        largest = max(largest, int(difference.max()))
    return Measured(
        variant,
        path,
        path.stat().st_size / MEGABYTE,
        largest,
        total,
        10 * float(np.log10(255**2 / squares)) if squares else None,
        float(np.median(seconds)),
    )


def table(rows: Sequence[Measured]) -> str:
    """The measurements as a Markdown table."""
    lines = [
        "| file | MB | max difference | mean difference | PSNR, dB | median, ms |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        psnr = "equal" if row.psnr is None else f"{row.psnr:.1f}"
        lines.append(
            f"| `{row.path.name}` | {row.size_mb:.2f} | {row.max_difference} "
            f"| {row.mean_difference:.3f} | {psnr} | {1000 * row.median_s:.1f} |"
        )
    return "\n".join(lines)
