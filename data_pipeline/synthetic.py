"""Draws a bird data set in exactly CUB's layout: pictures, boxes, classes, captions, splits.

A species is a triple of colours (belly, wing, crown) with secondary attributes of its own; the triples of
train and test are disjoint. Everything is a function of the seed and the picture's index:

    <output_dir>/CUB_200_2011/{images,bounding_boxes,image_class_labels,classes,train_test_split}.txt
    <output_dir>/CUB_200_2011/images/<class>/<stem>.jpg
    <output_dir>/text_c10/<class>/<stem>.txt     ten captions, one a line
    <output_dir>/text_c10/<class>/<stem>.json    true attributes
    <output_dir>/{train,test}/{filenames,class_info}.pickle
"""

import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import pathlib
import pickle
import shutil
from collections.abc import Callable, Sequence

import numpy as np
from absl import flags

from data_pipeline.bird_captions import captions, permuted_colours
from data_pipeline.birds import COLOURS, PARTS, SECONDARY, VARIETIES, draw_bird
from data_pipeline.errors import UserError, run
from data_pipeline.progress import Progress
from data_pipeline.scenery import PERCHES

__all__ = ["COLOURS", "PARTS", "captions", "draw_bird", "permuted_colours", "write"]

_CAPTIONS = 10
_CHUNK = 32
_JPEG_QUALITY = 92
_KINDS = {"short": "Warbler", "stout": "Finch", "long": "Creeper", "curved": "Thrasher"}
# Names for the random streams drawn from one seed.
_TRIPLES, _SPECIES, _CLASSES, _PICTURE = range(4)


@dataclasses.dataclass(frozen=True)
class Picture:
    """One picture to draw."""

    index: int
    name: str
    class_id: int
    split: str
    attributes: dict[str, str]


def write(
    output_dir: str | os.PathLike,
    *,
    num_train: int,
    num_test: int,
    num_species: int | None = None,
    seed: int = 0,
    variety: str = "full",
    picture_size: int = 500,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Draws a data set; the directory appears only once it is complete.

    Args:
        output_dir: to be created; must not exist or be empty.
        num_train: pictures of the train split.
        num_test: pictures of the test split.
        num_species: classes of both splits together, divided as the pictures are.
        seed: everything is a function of it; the number of workers has no influence.
        variety: "plain" or "full", see `birds.draw_bird`.
        picture_size: longer side of the pictures, in pixels.
        workers: processes to draw with.
        progress: called with the number of pictures drawn since the last call.

    Raises:
        UserError: the directory is in the way, or the numbers do not go together.
    """
    if variety not in VARIETIES:
        raise UserError(f"variety is {variety!r}: choose one of {', '.join(VARIETIES)}")
    if picture_size < 32:
        raise UserError(f"picture_size is {picture_size}: a bird needs at least 32 pixels")
    output_dir = _free(output_dir)
    pictures, classes = plan(num_train, num_test, num_species, seed, variety)
    partial = output_dir.with_name(f".{output_dir.name}.partial-{os.getpid()}")
    try:
        for folder in classes:
            (partial / "CUB_200_2011" / "images" / folder).mkdir(parents=True)
            (partial / "text_c10" / folder).mkdir(parents=True)
        drawing = (partial, seed, variety, picture_size)
        boxes = _draw_all(pictures, drawing, workers, progress)
        _write_metadata(partial, pictures, classes, boxes)
        if output_dir.exists():
            output_dir.rmdir()
        partial.rename(output_dir)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def plan(
    num_train: int, num_test: int, num_species: int | None, seed: int, variety: str
) -> tuple[list[Picture], list[str]]:
    """Decides what is drawn.

    Returns:
        The pictures, sorted by class; and the classes' directory names, id 1 first.
    """
    if num_train < 1 or num_test < 1:
        raise UserError(
            f"{num_train} train and {num_test} test pictures asked for: each split needs at least one"
        )
    total = num_train + num_test
    if num_species is None:
        num_species = min(len(COLOURS) ** 3, max(total // 4, 2))
    num_test_species = min(max(round(num_species * num_test / total), 1), num_species - 1)
    sizes = {"train": num_train, "test": num_test}
    counts = {"train": num_species - num_test_species, "test": num_test_species}
    if num_species < 2 or any(counts[split] > sizes[split] for split in sizes):
        raise UserError(
            f"{num_species} species for {total} pictures: ask for 2 species or more, and for no more"
            " species than pictures in either split"
        )
    species = _species(num_species, num_test_species, seed)
    digits = max(3, len(str(num_species)))
    pictures, classes, drawn = [], [], {"train": 0, "test": 0}
    for class_id, (split, attributes) in enumerate(species, start=1):
        name = _name(attributes)
        classes.append(f"{class_id:0{digits}d}.{name}")
        share = sizes[split] // counts[split] + (drawn[split] < sizes[split] % counts[split])
        drawn[split] += 1
        for number in range(1, share + 1):
            index = len(pictures)
            rng = np.random.default_rng([seed, _PICTURE, index, 0])
            perch = "branch" if variety == "plain" else _pick(rng, PERCHES)
            stem = f"{name}_{number:04d}_{index + 1:06d}"
            pictures.append(
                Picture(
                    index, f"{classes[-1]}/{stem}", class_id, split, attributes | {"perch": perch}
                )
            )
    return pictures, classes


def _species(number: int, num_test: int, seed: int) -> list[tuple[str, dict[str, str]]]:
    """Split and attributes of every species, in the order of their class ids."""
    triples = _triples(seed)[: min(number, len(COLOURS) ** 3)]
    num_test_triples = max(round(len(triples) * num_test / number), 1)
    species = []
    rng = np.random.default_rng([seed, _SPECIES])
    for split, count, own in (
        ("test", num_test, triples[:num_test_triples]),
        ("train", number - num_test, triples[num_test_triples:]),
    ):
        for index in range(count):
            attributes = dict(zip(PARTS, own[index % len(own)], strict=True))
            attributes |= {key: _pick(rng, values) for key, values in SECONDARY.items()}
            species.append((split, attributes))
    order = np.random.default_rng([seed, _CLASSES]).permutation(number)
    return [species[place] for place in order]


def _triples(seed: int) -> list[tuple[str, ...]]:
    """All triples of colours, every nine of which hold each colour once for each part."""
    rng = np.random.default_rng([seed, _TRIPLES])
    count = len(COLOURS)
    orders = [rng.permutation(list(COLOURS)).tolist() for _ in PARTS]
    triples = []
    for block in rng.permutation(count**2):
        steps = (0, block // count, block % count)
        triples += [
            tuple(order[(i + step) % count] for order, step in zip(orders, steps, strict=True))
            for i in range(count)
        ]
    return triples


def _name(attributes: dict[str, str]) -> str:
    belly, wing, crown = (attributes[part].capitalize() for part in PARTS)
    return f"{crown}_crowned_{wing}_winged_{belly}_{_KINDS[attributes['bill']]}"


def _draw_all(
    pictures: Sequence[Picture],
    drawing: tuple,
    workers: int,
    progress: Callable[[int], None] | None,
) -> list[tuple[float, ...]]:
    """Draws and captions all pictures and returns their boxes."""
    progress = progress or (lambda drawn: None)
    chunks = [pictures[start : start + _CHUNK] for start in range(0, len(pictures), _CHUNK)]
    boxes: dict[int, tuple[float, ...]] = {}
    if workers <= 1:
        for chunk in chunks:
            boxes |= _draw_chunk(chunk, *drawing)
            progress(len(chunk))
    else:
        spawn = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(workers, mp_context=spawn) as pool:
            futures = [pool.submit(_draw_chunk, chunk, *drawing) for chunk in chunks]
            for future in concurrent.futures.as_completed(futures):
                drawn = future.result()
                boxes |= drawn
                progress(len(drawn))
    return [boxes[picture.index] for picture in pictures]


def _draw_chunk(
    pictures: Sequence[Picture],
    root: pathlib.Path,
    seed: int,
    variety: str,
    picture_size: int,
) -> dict[int, tuple[float, ...]]:
    boxes = {}
    for picture in pictures:
        rng = np.random.default_rng([seed, _PICTURE, picture.index, 1])
        image, boxes[picture.index] = draw_bird(picture.attributes, rng, picture_size, variety)
        path = root / "CUB_200_2011" / "images" / f"{picture.name}.jpg"
        image.save(path, quality=_JPEG_QUALITY)
        lines = captions(picture.attributes, rng, _CAPTIONS)
        text = root / "text_c10" / f"{picture.name}.txt"
        text.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        text.with_suffix(".json").write_text(
            json.dumps(picture.attributes) + "\n", encoding="utf-8"
        )
    return boxes


def _write_metadata(
    root: pathlib.Path,
    pictures: Sequence[Picture],
    classes: Sequence[str],
    boxes: Sequence[tuple[float, ...]],
) -> None:
    tables = {
        "images": [f"{picture.name}.jpg" for picture in pictures],
        "bounding_boxes": [" ".join(f"{value:.1f}" for value in box) for box in boxes],
        "image_class_labels": [str(picture.class_id) for picture in pictures],
        "train_test_split": [str(int(picture.split == "train")) for picture in pictures],
        "classes": classes,
    }
    for table, rows in tables.items():
        lines = "".join(f"{number} {row}\n" for number, row in enumerate(rows, start=1))
        (root / "CUB_200_2011" / f"{table}.txt").write_text(lines, encoding="utf-8")
    for split in ("train", "test"):
        own = [picture for picture in pictures if picture.split == split]
        (root / split).mkdir()
        for table, rows in (
            ("filenames", [picture.name for picture in own]),
            ("class_info", [picture.class_id for picture in own]),
        ):
            with open(root / split / f"{table}.pickle", "wb") as file:
                pickle.dump(rows, file, protocol=2)


def _free(output_dir: str | os.PathLike) -> pathlib.Path:
    """The directory to write, checked to be free, its parent made."""
    output_dir = pathlib.Path(output_dir).absolute()
    if output_dir.exists() and (not output_dir.is_dir() or any(output_dir.iterdir())):
        raise UserError(
            f"output_dir {output_dir} exists and is not empty: remove it, or name another directory"
        )
    output_dir.parent.mkdir(parents=True, exist_ok=True)
    return output_dir


def _pick(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]


def _main(arguments: list[str]) -> None:
    del arguments
    values = flags.FLAGS
    total = values.num_train + values.num_test
    with Progress(total, "pictures") as progress:
        write(
            values.output_dir,
            num_train=values.num_train,
            num_test=values.num_test,
            num_species=values.num_species,
            seed=values.seed,
            variety=values.variety,
            picture_size=values.picture_size,
            workers=values.workers or os.cpu_count() or 1,
            progress=progress.update,
        )
    print(f"drew {total} pictures into {values.output_dir}")


if __name__ == "__main__":
    flags.DEFINE_string(
        "output_dir", None, "Directory to write; must not exist or be empty.", required=True
    )
    flags.DEFINE_integer("num_train", 8855, "Pictures of the train split.")
    flags.DEFINE_integer("num_test", 2933, "Pictures of the test split.")
    flags.DEFINE_integer(
        "num_species",
        None,
        "Classes of both splits together; by default 729, or fewer if there are fewer pictures.",
    )
    flags.DEFINE_integer("seed", 0, "Everything drawn is a function of it.")
    flags.DEFINE_enum(
        "variety", "full", VARIETIES, "plain: little jitter, even backgrounds; full: more."
    )
    flags.DEFINE_integer("picture_size", 500, "Longer side of the pictures in pixels.")
    flags.DEFINE_integer("workers", 0, "Processes to draw with; 0: one a core.")
    run(_main)
