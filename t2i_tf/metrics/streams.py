"""Streams of pictures to score, batch by batch: drawn from captions, real, or from a folder."""

import concurrent.futures
import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from data_pipeline.dataset import Split
from data_pipeline.pictures import to_rgb
from data_pipeline.pixels import to_uint8
from data_pipeline.support.errors import UserError
from t2i_tf.models.captions import encode
from t2i_tf.models.dump import Dump
from t2i_tf.models.model_directory import ModelDirectory
from t2i_tf.models.text_to_image import TextToImage

# Pictures that a network draws or sees at once. Float32 sums depend on a batch's shape in their
# last digit; always this one makes figures independent of how the work is divided.
BLOCK = 32
REPEATED_CAPTIONS, REPEATS = 40, 8
SUFFIXES, FORMATS = (".png", ".jpg", ".jpeg"), ("PNG", "JPEG")


@dataclasses.dataclass(frozen=True)
class CaptionPlan:
    """Which caption and seed each picture is drawn from.

    Attributes:
        texts: N captions.
        class_ids: Their classes, int `[N]`.
        seeds: int64 `[N]`.
        attributes: What is true of their birds (JSON texts); empty texts where that is unknown.
    """

    texts: list[str]
    class_ids: np.ndarray
    seeds: np.ndarray
    attributes: list[str]


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Pictures to measure, all of one size.

    Attributes:
        batches: uint8 `[BLOCK, size, size, 3]` each, the last one smaller; can be iterated over
            once.
        count: Number of pictures in all.
        size: Side in pixels.
        plan: What they were drawn from, None for pictures of a folder.
        repeated: For each of the first `REPEATED_CAPTIONS` captions uint8 pictures of `REPEATS`
            seeds, `[REPEATS, size, size, 3]`, drawn when asked for; None without a plan.
        about: Where they come from, for the report.
    """

    batches: Iterator[np.ndarray]
    count: int
    size: int
    plan: CaptionPlan | None
    repeated: Iterator[np.ndarray] | None
    about: dict


def plan_captions(split: Split, count: int, seed: int) -> CaptionPlan:
    """Goes through a split's records, again and again, until there are `count` captions.

    Each pass takes all records in a new order, and the next caption of each record, so the first
    `count` pictures are a fair sample however few they are. The plan is a pure function of the
    arguments.

    Args:
        split: The split, most often the test split.
        count: N.
        seed: Decides the orders; picture i is drawn with seed + i.
    """
    records = [
        (record["captions"], int(record["class_id"]), record["attributes"].decode())
        for record in split.examples()
    ]
    passes = -(-count // len(records))
    texts, class_ids, attributes = [], [], []
    for number in range(passes):
        order = np.random.default_rng([seed, number]).permutation(len(records))
        for row in order[: count - len(texts)]:
            captions, class_id, own = records[row]
            texts.append(captions[number % len(captions)].decode())
            class_ids.append(class_id)
            attributes.append(own)
    seeds = seed + np.arange(count, dtype=np.int64)
    return CaptionPlan(texts, np.array(class_ids), seeds, attributes)


def first_captions(split: Split) -> tuple[list[str], np.ndarray]:
    """The first caption of each of a split's records, in order, and their classes, int `[N]`."""
    records = [(r["captions"][0].decode(), int(r["class_id"])) for r in split.examples()]
    texts, class_ids = zip(*records, strict=True)
    return list(texts), np.array(class_ids)


def drawn_pictures(
    models: ModelDirectory | Sequence[ModelDirectory],
    split: Split,
    count: int,
    seed: int,
    devices: Sequence[str | None] = (None,),
    dump: Dump | None = None,
) -> Pictures:
    """The pictures that a model draws from a split's captions, see `plan_captions`.

    Args:
        models: A model with a generator; one copy for each device.
        split: The split.
        count: How many pictures.
        seed: Decides captions and noise.
        devices: Names of the devices, each of which draws its share of the blocks; None for
            TensorFlow's choice. The pictures do not depend on their number.
        dump: Where the pictures are written too.

    Raises:
        UserError: The model knows no word of a caption.
    """
    models = [models] if isinstance(models, ModelDirectory) else models
    model = models[0]
    plan = plan_captions(split, count, seed)
    encoded = encode(plan.texts, model.vocabulary, model.config.data.max_words)
    drawing = [(TextToImage(m), device) for m, device in zip(models, devices, strict=True)]
    tokens = np.repeat(encoded.tokens[:REPEATED_CAPTIONS], REPEATS, axis=0)
    seeds = np.tile(seed + np.arange(REPEATS, dtype=np.int64), len(tokens) // REPEATS)
    repeated = itertools.chain.from_iterable(draw_blocks(drawing, tokens, seeds))
    about = {
        "seed": seed,
        "max_words": model.config.data.max_words,
        "captions_not_read_whole": len(encoded.warnings),
    }

    def blocks(start):
        return draw_blocks(drawing, encoded.tokens[start:], plan.seeds[start:])

    if dump:
        dump.describe(plan.texts, plan.class_ids, plan.seeds)
    return Pictures(
        dump.blocks(count, BLOCK, blocks) if dump else blocks(0),
        count,
        model.config.data.image_size,
        plan,
        _batches(repeated, REPEATS),
        about,
    )


def draw_blocks(
    drawing: Sequence[tuple[TextToImage, str | None]], tokens: np.ndarray, seeds: np.ndarray
) -> Iterator[np.ndarray]:
    """Draws a picture per row of token ids, `BLOCK` at once on each device.

    Every device runs the very graph that a single one would run, on its own copy of the weights.

    Args:
        drawing: Copies of one model and the names of their devices.
        tokens: int32 `[N, T]`.
        seeds: int64 `[N]`.

    Yields:
        uint8 `[BLOCK, H, W, 3]` each; the last block has the rest.
    """

    def draw(model, device, start):
        # The last picture fills up the last block.
        rows = np.minimum(np.arange(start, start + BLOCK), len(tokens) - 1)
        with tf.device(device):
            block, _ = model.last_stage(tokens[rows], seeds[rows], 1.0)
        return block.numpy()[: len(tokens) - start]

    starts = range(0, len(tokens), BLOCK)
    with concurrent.futures.ThreadPoolExecutor(len(drawing)) as pool:
        for first in range(0, len(starts), len(drawing)):
            own = starts[first : first + len(drawing)]
            models, devices = zip(*drawing[: len(own)], strict=True)
            yield from pool.map(draw, models, devices, own)


def real_pictures(split: Split, size: int) -> Iterator[np.ndarray]:
    """A split's pictures, cut to the central square of `size`, uint8 `[BLOCK, size, size, 3]`.

    Raises:
        UserError: The data set stores smaller pictures.
    """
    batches = split.eval_batches(batch_size=BLOCK, image_sizes=[size], max_words=1)
    for batch in batches:
        yield to_uint8(batch["images"][0]).numpy()


def folder_pictures(folder: str | Path, limit: int) -> Pictures:
    """The first PNG and JPEG files of a folder, in order of their names.

    Args:
        folder: The folder; its subfolders are ignored.
        limit: Largest number of pictures.

    Raises:
        UserError: There are no pictures, or the first is not square. Later, from `batches`: a
            picture cannot be read or has another size.
    """
    try:
        found = [path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES]
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}") from error
    if not found:
        raise UserError(f"{folder} holds no .png or .jpg files")
    files = sorted(found)[:limit]
    size = len(_read(files[0]))

    def read(path):
        image = _read(path)
        height, width, _ = image.shape
        if (height, width) != (size, size):
            raise UserError(
                f"{path} is {width} x {height} pixels: all pictures should be square and of one "
                f"size, {size} x {size} by the first"
            )
        return image

    read(files[0])
    return Pictures(_batches(map(read, files), BLOCK), len(files), size, None, None, {})


def _batches(images, batch_size):
    images = iter(images)
    while batch := list(itertools.islice(images, batch_size)):
        yield np.stack(batch)


def _read(path):
    try:
        with Image.open(path, formats=FORMATS) as image:
            return np.asarray(to_rgb(image))
    except Exception as error:  # A damaged file can cause any error in its decoder.
        raise UserError(f"{path} cannot be read as a picture ({error})") from error
