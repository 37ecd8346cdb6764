"""Reads Caltech-UCSD Birds-200-2011 with ten captions per picture, and data sets laid out like it.

    CUB_200_2011/{images,bounding_boxes,image_class_labels,classes}.txt    Wah et al., 2011
    CUB_200_2011/images/<class>/<stem>.jpg
    text_c10/<class>/<stem>.txt  (or text/)        ten captions, one per line; Reed et al., 2016
    {train,test}/{filenames,class_info}.pickle     the text-to-image split

The text-to-image split keeps the classes of train and test apart (150 and 50 of them; 8,855 and
2,933 pictures) and is the one in `filenames.pickle`. `train_test_split.txt`, which divides every
class, is another split and is never used. If the real CUB comes without the pickles, the same split
is made from the numbers of its 50 test classes.
"""

import dataclasses
import hashlib
import math
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from data_pipeline.sources.source import Example, Problems, RawData, read_attributes, read_captions
from data_pipeline.support.errors import UserError
from data_pipeline.support.pickles import safe_load_pickle

CUB_PICTURES = 11_788
CUB_CLASSES = 200
# The class numbers in classes.txt that the text-to-image literature uses for testing.
CUB_TEST_CLASSES = frozenset(
    [1, 4, 6, 8, 9, 14, 23, 29, 31, 33, 34, 35, 36, 37, 38, 43, 49, 51, 53, 66, 72, 79, 83, 84, 86]
    + [91, 95, 96, 98, 101, 102, 103, 112, 114, 119, 121, 130, 135, 138, 147, 156, 163, 165, 166]
    + [180, 183, 185, 186, 187, 197]
)
SPLITS = ("train", "test")
_MALFORMED = "malformed metadata"


@dataclasses.dataclass(frozen=True)
class Entry:
    """The metadata of one picture: its path under images/, and fields of `source.Example`."""

    name: str
    file: str
    split: str
    class_id: int
    class_name: str
    box: tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True)
class Metadata:
    """CUB's metadata, checked.

    Attributes:
        entries: The pictures of both splits, train first.
        classes: Names of the classes by class id.
        source: SHA-256 of the files read, by file name.
        notes: Remarks for the user on how the split was made.
    """

    entries: list[Entry]
    classes: list[str]
    source: dict[str, str]
    notes: tuple[str, ...]


def read(
    input_dir: str | os.PathLike,
    metadata_dir: str | os.PathLike | None = None,
    captions_per_image: int = 10,
) -> RawData:
    """Reads metadata and captions and checks that every picture exists.

    Args:
        input_dir: `CUB_200_2011/` or the folder that holds it. `text_c10/` or `text/` may be in
            either of them or in `metadata_dir`.
        metadata_dir: The folder of the split and of anything else that is not in `input_dir`. By
            default `input_dir`.
        captions_per_image: Captions in every caption file.

    Raises:
        UserError: The data has problems; the message lists all of them.
    """
    problems = Problems()
    metadata = _read_metadata(_places(input_dir, metadata_dir), problems)
    places = _places(input_dir, metadata_dir)
    images = _find(places, ["images"], "the pictures")
    texts = _find(places, ["text_c10", "text"], "the captions")
    examples = []
    for entry in metadata.entries:
        image_path = images / entry.file
        if not image_path.is_file():
            problems.add("missing pictures", image_path, "no such file")
        captions_path = texts / f"{entry.name}.txt"
        examples.append(
            Example(
                name=entry.name,
                split=entry.split,
                class_id=entry.class_id,
                class_name=entry.class_name,
                image_path=image_path,
                box=entry.box,
                captions=read_captions(captions_path, captions_per_image, problems),
                attributes=read_attributes(captions_path.with_suffix(".json"), problems),
            )
        )
    problems.raise_if_any(input_dir)
    return RawData(examples, metadata.classes, captions_per_image, metadata.source, metadata.notes)


def _places(input_dir, metadata_dir):
    """The folders to look in, in order."""
    roots = [Path(input_dir)]
    if metadata_dir is not None:
        roots.append(Path(metadata_dir))
    for root in roots:
        if not root.is_dir():
            raise UserError(f"{root}: no such folder; it should hold CUB_200_2011/")
    return [place for root in roots for place in (root / "CUB_200_2011", root)]


def _find(places, names, what):
    for place in places:
        for name in names:
            if (place / name).exists():
                return place / name
    looked = ", ".join(str(place) for place in places)
    raise UserError(f"{what} ({' or '.join(names)}) are in none of {looked}")


def _read_metadata(places, problems):
    tables, source, intact = {}, {}, {}
    for name, (what, form, parse) in _TABLES.items():
        path = _find(places, [name], what)
        tables[name], intact[name] = _read_table(path, form, parse, problems)
        source[name] = _sha256(path)

    names = tables["classes.txt"]
    class_ids = {number: class_id for class_id, number in enumerate(sorted(names))}
    labels, boxes = tables["image_class_labels.txt"], tables["bounding_boxes.txt"]
    pictures = {}
    for image, file in tables["images.txt"].items():
        name = str(PurePosixPath(file).with_suffix(""))
        if name in pictures:
            problems.add("pictures listed twice", name, "in images.txt")
        pictures[name] = image
        if image not in boxes and intact["bounding_boxes.txt"]:
            problems.add("pictures without a box", name, "not in bounding_boxes.txt")
        if image not in labels and intact["image_class_labels.txt"]:
            problems.add("pictures without a class", name, "not in image_class_labels.txt")
        if image in labels and labels[image] not in names and intact["classes.txt"]:
            reason = f"its class {labels[image]} is not in classes.txt"
            problems.add("pictures without a class", name, reason)

    numbers = {name: labels.get(image) for name, image in pictures.items()}
    splits, notes = _read_splits(places, numbers, source, problems, intact["images.txt"])
    entries = [
        Entry(
            name=name,
            file=tables["images.txt"][pictures[name]],
            split=split,
            class_id=class_ids[numbers[name]],
            class_name=names[numbers[name]],
            box=boxes[pictures[name]],
        )
        for split in SPLITS
        for name in splits[split]
        if pictures.get(name) in boxes and numbers[name] in names
    ]
    classes = [names[number] for number in sorted(names)]
    return Metadata(entries, classes, source, notes)


def _read_table(path, form, parse: Callable[[str], Any], problems):
    """A file of lines `<number> <value>` as a dict, and whether all of it could be read."""
    table, intact = {}, True
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        problems.add(_MALFORMED, path, "not UTF-8 text; save it as UTF-8")
        return table, False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            key, value = line.strip().split(maxsplit=1)
            key, value = int(key), parse(value)
        except ValueError:
            problems.add(_MALFORMED, f"{path}:{number}", f"expected {form!r}, found {line!r}")
            intact = False
            continue
        if key in table:
            problems.add(_MALFORMED, f"{path}:{number}", f"a second line for number {key}")
        table[key] = value
    if not table:
        problems.add(_MALFORMED, path, f"empty; expected lines of {form!r}")
    return table, intact and bool(table)


def _box(text):
    x, y, width, height = map(float, text.split())
    if not all(map(math.isfinite, (x, y, width, height))) or width <= 0 or height <= 0:
        raise ValueError(text)
    return x, y, width, height


_TABLES = {
    "images.txt": ("the picture names", "<image> <class>/<file>", str),
    "classes.txt": ("the class names", "<class> <name>", str),
    "image_class_labels.txt": ("the class labels", "<image> <class>", int),
    "bounding_boxes.txt": (
        "the bounding boxes",
        "<image> <x> <y> <width> <height>, width and height above 0",
        _box,
    ),
}


def _read_splits(places, numbers, source, problems, complete):
    """The names of each split's pictures, and notes on where they come from.

    Args:
        places: The folders to look in.
        numbers: The class number of every picture by name.
        source: Collects the hashes of the files that are read.
        problems: Collects what is wrong with these files.
        complete: Whether `numbers` is known to hold every picture.
    """
    places = places[::-1]  # A metadata folder is given for its split, so it is searched first.
    files = [f"{split}/filenames.pickle" for split in SPLITS]
    if not any((place / file).exists() for place in places for file in files):
        return _published_split(places, numbers)
    splits, seen = {}, {}
    for split, file in zip(SPLITS, files, strict=True):
        path = _find(places, [file], f"the names of the {split} pictures")
        source[file] = _sha256(path)
        splits[split] = names = safe_load_pickle(path)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError(f"{path}: not a list of picture names")
        if not names:
            problems.add("empty splits", path, f"no {split} pictures")
        for name in names:
            if name not in numbers and complete:
                problems.add("unknown pictures in the split", path, f"{name} is not in images.txt")
            if name in seen:
                problems.add("pictures listed twice", name, f"in {seen[name]} and {path}")
            seen[name] = path
        class_path = path.with_name("class_info.pickle")
        if class_path.exists():
            source[f"{split}/class_info.pickle"] = _sha256(class_path)
            _check_class_info(class_path, names, numbers, problems)
    return splits, ()


def _check_class_info(path, names, numbers, problems):
    """Checks that the class numbers in `class_info.pickle`, one per name, agree with the labels."""
    given = safe_load_pickle(path)
    if not isinstance(given, list) or len(given) != len(names):
        problems.add(_MALFORMED, path, f"not a list of {len(names)} class numbers")
        return
    for name, number in zip(names, given, strict=True):
        known = numbers.get(name)
        if known is not None and known != number:
            reason = f"{name} has class {number}, but {known} in image_class_labels.txt"
            problems.add("contradicting classes", path, reason)


def _published_split(places, numbers):
    if len(numbers) != CUB_PICTURES or len(set(numbers.values())) != CUB_CLASSES:
        looked = ", ".join(str(place) for place in places)
        raise UserError(
            f"no train/filenames.pickle and test/filenames.pickle in any of {looked}; "
            "without them the text-to-image split is known only for the whole CUB-200-2011"
        )
    splits = {"train": [], "test": []}
    for name, number in numbers.items():
        splits["test" if number in CUB_TEST_CLASSES else "train"].append(name)
    return splits, ("no filenames.pickle: split by the 50 published test classes of CUB",)


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
