"""Streams of pictures to score, batch by batch: drawn from captions, real, or from a folder."""

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from data_pipeline.dataset import Split
from data_pipeline.pictures import to_rgb
from data_pipeline.pixels import to_uint8
from data_pipeline.support.errors import UserError
from t2i_tf.models.captions import encode
from t2i_tf.models.model_directory import ModelDirectory
from t2i_tf.models.text_to_image import TextToImage

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
        batches: uint8 `[B, size, size, 3]` each; can be iterated over once.
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
    model: ModelDirectory, split: Split, count: int, seed: int, batch_size: int
) -> Pictures:
    """The pictures that a model draws from a split's captions, see `plan_captions`.

    Args:
        model: A model with a generator.
        split: The split.
        count: How many pictures.
        seed: Decides captions and noise.
        batch_size: Pictures per batch; the last may be smaller.

    Raises:
        UserError: The model knows no word of a caption.
    """
    plan = plan_captions(split, count, seed)
    encoded = encode(plan.texts, model.vocabulary, model.config.data.max_words)
    drawing = TextToImage(model)
    drawn = drawing.draw(encoded.tokens, plan.seeds, batch_size)
    tokens = np.repeat(encoded.tokens[:REPEATED_CAPTIONS], REPEATS, axis=0)
    seeds = np.tile(seed + np.arange(REPEATS, dtype=np.int64), len(tokens) // REPEATS)
    repeated = drawing.draw(tokens, seeds, batch_size)
    about = {
        "seed": seed,
        "max_words": model.config.data.max_words,
        "captions_not_read_whole": len(encoded.warnings),
    }
    size = model.config.data.image_size
    return Pictures(
        _batches((image for image, _ in drawn), batch_size),
        count,
        size,
        plan,
        _batches((image for image, _ in repeated), REPEATS),
        about,
    )


def real_pictures(split: Split, size: int, batch_size: int) -> Iterator[np.ndarray]:
    """A split's pictures, cut to the central square of `size`, uint8 `[B, size, size, 3]`.

    Raises:
        UserError: The data set stores smaller pictures.
    """
    batches = split.eval_batches(batch_size=batch_size, image_sizes=[size], max_words=1)
    for batch in batches:
        yield to_uint8(batch["images"][0]).numpy()


def folder_pictures(folder: str | Path, limit: int, batch_size: int) -> Pictures:
    """The first PNG and JPEG files of a folder, in order of their names.

    Args:
        folder: The folder; its subfolders are ignored.
        limit: Largest number of pictures.
        batch_size: Pictures per batch; the last may be smaller.

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
    return Pictures(_batches(map(read, files), batch_size), len(files), size, None, None, {})


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
