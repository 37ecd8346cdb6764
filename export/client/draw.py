"""Draws pictures by a server: TensorFlow Serving or `export.serve`.

    python -m export.client --server=localhost:8500 --text="a small red bird" --output_dir=pictures
    python -m export.client --server=http://localhost:8501 --captions_file=... --output_dir=pictures

The pictures are those that `t2i_tf.generate` draws of the same captions and seeds, and are named
alike: the signature `generate` is asked for, one picture a request, so that the server can batch.
While the server is unavailable the client tries again, for --timeout_s seconds a picture.
"""

import collections
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from absl import flags

from data_pipeline.support.errors import UserError, run
from data_pipeline.support.progress import Progress
from export.client.transports import Ask, RefusedError, connect, patiently
from t2i_tf.models import captions
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
        ask: See `export.transports`.
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
        pool.shutdown(cancel_futures=True)


def main(arguments):
    """Draws what the flags ask for."""
    if len(arguments) > 1:
        raise UserError(f"unexpected argument {arguments[1]!r}: quote the caption after --text=")
    options = flags.FLAGS
    texts = list(options.text)
    if options.captions_file:
        texts += captions.read_file(options.captions_file)
    if not texts:
        raise UserError('nothing to draw: give --text="..." or --captions_file=')
    ask = connect(options.server, options.protocol, options.model_name)
    paths = draw(
        ask, texts, Path(options.output_dir), options.num_images, options.seed, options.timeout_s
    )
    with Progress(len(texts) * options.num_images, "pictures") as progress:
        for path in paths:
            print(path)
            if progress.total > 1:
                progress.update()


if __name__ == "__main__":
    flags.DEFINE_string("server", None, "host:port (gRPC) or http://host:port.", required=True)
    flags.DEFINE_enum("protocol", None, ["grpc", "rest"], "If --server does not tell.")
    flags.DEFINE_string("model_name", "birds", "The model's name on the server.")
    flags.DEFINE_multi_string("text", [], "A caption; may be given several times.")
    flags.DEFINE_string("captions_file", None, "UTF-8 text file of one caption a line.")
    flags.DEFINE_integer("num_images", 1, "Pictures of each caption.", 1)
    flags.DEFINE_integer("seed", 0, "Seed of each caption's first picture.", 0, 2**62)
    flags.DEFINE_float("timeout_s", 60.0, "Seconds that a picture may take.", 0.001)
    flags.DEFINE_string("output_dir", None, "Folder for the pictures.", required=True)
    run(main)
