"""Draws a bird data set in exactly CUB's layout: pictures, boxes, classes, captions, splits.

A species is a triple of colours (belly, wing, crown) with secondary attributes of its own; the
triples of train and test are disjoint. Everything is a function of the seed and the picture's id:

    <output_dir>/CUB_200_2011/{images,bounding_boxes,image_class_labels,classes,train_test_split}.txt
    <output_dir>/CUB_200_2011/images/<class>/<stem>.jpg
    <output_dir>/text_c10/<class>/<stem>.txt     ten captions, one per line
    <output_dir>/text_c10/<class>/<stem>.json    true attributes
    <output_dir>/{train,test}/{filenames,class_info}.pickle
"""

import concurrent.futures
import json
import os
import pathlib
import pickle
from collections.abc import Callable, Sequence

import numpy as np
from absl import flags

from data_pipeline.drawn.birds import COLOURS, PARTS, VARIETIES, Box, draw_bird, draw_bird_in_box
from data_pipeline.drawn.captions import LANGUAGES, captions, permuted_colours
from data_pipeline.drawn.species import Picture, plan, plan_stand_ins
from data_pipeline.support.errors import UserError, run
from data_pipeline.support.pool import process_pool
from data_pipeline.support.progress import Progress
from data_pipeline.support.scratch import appearing

__all__ = ["COLOURS", "PARTS", "captions", "draw_bird", "permuted_colours", "write"]

_CAPTIONS = 10
_CHUNK = 32
_JPEG_QUALITY = 92
# The seed's random stream for drawing; `species` plans with streams 0 to 4 of the same seed.
_DRAWING = 5


def write(
    output_dir: str | os.PathLike,
    *,
    num_train: int = 8855,
    num_test: int = 2933,
    num_species: int | None = None,
    seed: int = 0,
    variety: str = "full",
    picture_size: int = 500,
    language: str = "en",
    workers: int = 1,
    metadata_dir: str | os.PathLike | None = None,
    limit: int | None = None,
    captions_sample: str | os.PathLike | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Draws a data set; the directory appears only once it is complete.

    Args:
        output_dir: the folder to write; it must be empty or not exist yet.
        num_train: pictures of the train split.
        num_test: pictures of the test split.
        num_species: classes of both splits together, divided in proportion to the pictures; see
            `species.plan`.
        seed: decides everything that is drawn; the number of workers has no influence.
        variety: "plain" or "full", see `birds.draw_bird`.
        picture_size: longer side of the pictures, in pixels.
        language: of the captions, one of `captions.LANGUAGES`.
        workers: processes to draw with.
        metadata_dir: folder of real CUB's metadata. Its names, ids, splits and boxes are used to
            draw stand-ins instead of new species; `num_train`, `num_test`, `num_species` and
            `variety` are then ignored.
        limit: number of stand-ins; by default all.
        captions_sample: text file of real captions for the first few stand-ins, which then have no
            JSON file.
        progress: called with the number of pictures just drawn and the total number.

    Returns:
        The number of pictures.

    Raises:
        UserError: the directory is in the way, or the arguments are invalid or contradict each
            other.
    """
    if variety not in VARIETIES:
        raise UserError(f"variety is {variety!r}: choose one of {', '.join(VARIETIES)}")
    if picture_size < 32:
        raise UserError(f"picture_size is {picture_size}: a bird needs at least 32 pixels")
    if language not in LANGUAGES:
        raise UserError(f"language is {language!r}: choose one of {', '.join(LANGUAGES)}")
    output_dir = _free(output_dir)
    if metadata_dir is None:
        pictures, classes = plan(num_train, num_test, num_species, seed, variety)
    else:
        pictures, classes = plan_stand_ins(metadata_dir, limit, seed, captions_sample)
    with appearing(output_dir) as partial:
        for folder in {picture.name.split("/")[0] for picture in pictures}:
            (partial / "CUB_200_2011" / "images" / folder).mkdir(parents=True)
            (partial / "text_c10" / folder).mkdir(parents=True)
        drawing = partial, seed, variety, picture_size, language
        boxes = _draw_all(pictures, drawing, workers, progress)
        _write_metadata(partial, pictures, classes, boxes)
    return len(pictures)


def _free(output_dir: str | os.PathLike) -> pathlib.Path:
    """The directory to write, checked to be free."""
    output_dir = pathlib.Path(output_dir).absolute()
    if output_dir.exists() and (not output_dir.is_dir() or any(output_dir.iterdir())):
        raise UserError(
            f"output_dir {output_dir} exists and is not empty: remove it, or name another directory"
        )
    return output_dir


def _draw_all(
    pictures: Sequence[Picture],
    drawing: tuple[pathlib.Path, int, str, int, str],
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> list[Box]:
    """Draws and captions all pictures and returns their boxes."""
    chunks = [pictures[start : start + _CHUNK] for start in range(0, len(pictures), _CHUNK)]
    boxes: dict[int, Box] = {}

    def collect(drawn: dict[int, Box]) -> None:
        boxes.update(drawn)
        if progress:
            progress(len(drawn), len(pictures))

    if workers <= 1:
        for chunk in chunks:
            collect(_draw_chunk(chunk, *drawing))
    else:
        with process_pool(workers) as pool:
            futures = [pool.submit(_draw_chunk, chunk, *drawing) for chunk in chunks]
            for future in concurrent.futures.as_completed(futures):
                collect(future.result())
    return [boxes[picture.image_id] for picture in pictures]


def _draw_chunk(
    pictures: Sequence[Picture],
    root: pathlib.Path,
    seed: int,
    variety: str,
    picture_size: int,
    language: str,
) -> dict[int, Box]:
    """Writes each picture, its captions and its attributes; returns the boxes by image id."""
    boxes = {}
    for picture in pictures:
        rng = np.random.default_rng([seed, _DRAWING, picture.image_id])
        if picture.box is None:
            image, box = draw_bird(picture.attributes, rng, picture_size, variety)
        else:
            image, box = (
                draw_bird_in_box(picture.attributes, rng, picture.box, picture_size),
                picture.box,
            )
        boxes[picture.image_id] = box
        image.save(root / "CUB_200_2011" / "images" / f"{picture.name}.jpg", quality=_JPEG_QUALITY)
        text = root / "text_c10" / f"{picture.name}.txt"
        lines = picture.captions
        if lines is None:
            lines = captions(picture.attributes, rng, _CAPTIONS, language)
            attributes = json.dumps(picture.attributes)
            text.with_name(f"{text.stem}.json").write_text(f"{attributes}\n", encoding="utf-8")
        text.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return boxes


def _write_metadata(
    root: pathlib.Path, pictures: Sequence[Picture], classes: Sequence[str], boxes: Sequence[Box]
) -> None:
    tables = {
        "images": [f"{picture.name}.jpg" for picture in pictures],
        "bounding_boxes": [" ".join(f"{value:.1f}" for value in box) for box in boxes],
        "image_class_labels": [picture.class_id for picture in pictures],
        "train_test_split": [int(picture.split == "train") for picture in pictures],
    }
    ids = [picture.image_id for picture in pictures]
    for table, rows in tables.items():
        _write_table(root, table, ids, rows)
    _write_table(root, "classes", range(1, len(classes) + 1), classes)
    for split in ("train", "test"):
        own = [picture for picture in pictures if picture.split == split]
        (root / split).mkdir()
        for table, rows in (
            ("filenames", [picture.name for picture in own]),
            ("class_info", [picture.class_id for picture in own]),
        ):
            with (root / split / f"{table}.pickle").open("wb") as file:
                pickle.dump(rows, file, protocol=2)


def _write_table(root: pathlib.Path, table: str, ids: Sequence[int], rows: Sequence) -> None:
    lines = "".join(f"{number} {row}\n" for number, row in zip(ids, rows, strict=True))
    (root / "CUB_200_2011" / f"{table}.txt").write_text(lines, encoding="utf-8")


def _define_flags() -> None:
    flags.DEFINE_string("output_dir", None, "Directory to create.", required=True)
    flags.DEFINE_integer("num_train", 8855, "Pictures of the train split.", lower_bound=1)
    flags.DEFINE_integer("num_test", 2933, "Pictures of the test split.", lower_bound=1)
    flags.DEFINE_integer(
        "num_species",
        None,
        "Classes of both splits; by default 729, or a quarter of the pictures if that is less.",
        lower_bound=2,
    )
    flags.DEFINE_integer("seed", 0, "Decides everything that is drawn.", lower_bound=0)
    flags.DEFINE_enum("variety", "full", VARIETIES, "plain: facing right, even backgrounds.")
    flags.DEFINE_integer("picture_size", 500, "Longer side of the pictures in pixels.")
    flags.DEFINE_enum("language", "en", list(LANGUAGES), "Language of the captions.")
    flags.DEFINE_integer("workers", 0, "Processes to draw with; 0: one per core.")
    flags.DEFINE_string(
        "metadata_dir", None, "Real CUB's metadata: draw stand-ins under its names, in its boxes."
    )
    flags.DEFINE_integer("limit", None, "With --metadata_dir: number of pictures; by default all.")
    flags.DEFINE_string(
        "captions_sample", None, "With --metadata_dir: captions for the first few, a text file."
    )


def _main(_: list[str]) -> None:
    values = flags.FLAGS.flag_values_dict()
    names = ("num_train", "num_test", "num_species", "seed", "variety", "picture_size")
    names += ("language", "metadata_dir", "limit", "captions_sample")
    with Progress(0, "pictures") as bar:

        def progress(drawn: int, total: int) -> None:
            bar.total = total
            bar.update(drawn)

        number = write(
            values["output_dir"],
            workers=values["workers"] or os.cpu_count() or 1,
            progress=progress,
            **{name: values[name] for name in names},
        )
    print(f"drew {number} pictures into {values['output_dir']}")


def command() -> None:
    """The command line."""
    run(_main, _define_flags)


if __name__ == "__main__":
    command()
