"""Asks a server for pictures and writes them as files."""

import collections
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from data_pipeline.support.errors import UserError
from export.client.transports import Ask, RefusedError, patiently
from t2i_tf.models.images import save_png
from t2i_tf.models.names import first_free_number, picture_name

IN_FLIGHT = 16  # requests


def draw(
    ask: Ask,
    texts: Sequence[str],
    output_dir: Path,
    num_images: int = 1,
    seed: int = 0,
    timeout_s: float = 60.0,
) -> Iterator[Path]:
    """Asks for `num_images` pictures of each caption and yields the files as they are written.

    Args:
        ask: See `export.client.transports`.
        texts: The captions.
        output_dir: Folder for the pictures; made if need be.
        num_images: Pictures of each caption.
        seed: Seed of each caption's first picture, the next has the next.
        timeout_s: How long a picture may take.

    Raises:
        UserError: The server refused a caption or did not answer; the others before it are there.
    """
    output_dir.mkdir(parents=True, exist_ok=True)
    first = first_free_number(output_dir)
    jobs = [(text, seed + i) for text in texts for i in range(num_images)]
    pool = ThreadPoolExecutor(IN_FLIGHT)
    try:
        answers = collections.deque(pool.submit(patiently, ask, *job, timeout_s) for job in jobs)
        for number, job in enumerate(jobs, start=first):
            try:
                picture = answers.popleft().result()  # What is written is not kept.
            except RefusedError as error:
                raise UserError(f"the server drew no picture of {job[0]!r}: {error}") from error
            path = output_dir / f"{picture_name(number, *job)}.png"
            save_png(path, picture, job[0])
            yield path
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
