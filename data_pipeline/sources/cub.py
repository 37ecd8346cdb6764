"""Reads Caltech-UCSD Birds-200-2011 with ten captions per picture, and data sets laid out like it.

    CUB_200_2011/{images,bounding_boxes,image_class_labels,classes}.txt    Wah et al., 2011
    CUB_200_2011/images/<class>/<stem>.jpg
    text_c10/<class>/<stem>.txt  (or text/)        ten captions, one per line; Reed et al., 2016
    {train,test}/{filenames,class_info}.pickle     the text-to-image split
    captions.pickle                                AttnGAN's words, if there are no caption files

Any of them may lie in a zip archive: AttnGAN's birds.zip, with its text.zip in it.

The text-to-image split keeps the classes of train and test apart (150 and 50 of them; 8,855 and
2,933 pictures) and is the one in `filenames.pickle`. `train_test_split.txt`, which divides every
class, is another split and is never used. If the real CUB comes without the pickles, the same split
is made from the numbers of its 50 test classes.
"""

import functools
import hashlib
import math
import os
from collections.abc import Callable, Iterator
from typing import Any

from data_pipeline.sources.places import Places
from data_pipeline.sources.source import (
    MALFORMED,
    Example,
    Report,
    Source,
)
from data_pipeline.sources.texts import read_attributes, read_captions
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


def read(
    input_dir: str | os.PathLike,
    metadata_dir: str | os.PathLike | None = None,
    captions_per_image: int | None = None,
) -> Source:
    """CUB's pictures, cropped about their boxes.

    Args:
        input_dir: `CUB_200_2011/` or the folder that holds it. `text_c10/` or `text/` may be in
            either of them or in `metadata_dir`.
        metadata_dir: The folder of the split and of anything else that is not in `input_dir`. By
            default `input_dir`.
        captions_per_image: Captions of every picture; by default 10.

    Raises:
        UserError: One of the folders does not exist.
    """
    roots = [input_dir] if metadata_dir is None else [input_dir, metadata_dir]
    places = Places(roots, "CUB_200_2011")
    return Source(input_dir, functools.partial(_examples, places, captions_per_image or 10))


def _examples(places: Places, captions_per_image: int, report: Report) -> Iterator[Example]:
    entries, splits = _read_metadata(places, report)
    images, folder = places.need("the pictures", "images")
    captions_of = _captions(places, splits, captions_per_image, report)
    for name, (file, split, class_name, box) in entries.items():
        picture = images.picture(folder, file, report)
        captions, attributes = captions_of(name)
        if picture is not None and captions:
            yield Example(name, picture, captions, split, class_name, box, attributes)


def _captions(places, splits, expected, report) -> Callable[[str], tuple[tuple[str, ...], str]]:
    """A function that gives a picture's captions and attributes."""
    if places.find("text_c10", "text") is None and places.find("captions.pickle"):
        words = _captions_from_pickle(places, splits, expected, report)
        return lambda name: (words.get(name, ()), "")
    place, folder = places.need("the captions", "text_c10", "text")

    def read_files(name):
        path = f"{folder}/{name}"
        if not place.holds(folder, f"{name}.txt", report):
            return (), ""
        captions = read_captions(
            place.path(f"{path}.txt"), expected, report, _content(place, f"{path}.txt")
        )
        attributes = _content(place, f"{path}.json")
        if attributes is None or not place.holds(folder, f"{name}.json", report):
            return captions, ""
        return captions, read_attributes(place.path(f"{path}.json"), report, attributes)

    return read_files


def _content(place, name):
    try:
        return place.read(name)
    except OSError:  # Told by whoever reads the file again.
        return None


def _captions_from_pickle(places, splits, expected, report):
    """The captions by picture in AttnGAN's captions.pickle, its words joined by spaces.

    It holds `[train_captions, test_captions, index_to_word, word_to_index]`; a caption is a list of
    word numbers, and the captions of a picture follow each other in the order of filenames.pickle.
    """
    place, file = places.find("captions.pickle", backwards=True)
    path, data = place.path(file), place.read(file)
    report.hashes[file] = hashlib.sha256(data).hexdigest()
    content = safe_load_pickle(path, data)
    try:
        by_split, words = dict(zip(SPLITS, content, strict=False)), content[2]
        counts = {split: len(by_split[split]) for split in SPLITS}
    except (TypeError, LookupError):
        raise UserError(f"{path}: not AttnGAN's captions.pickle") from None
    if not any(key.endswith("filenames.pickle") for key in report.hashes):
        raise UserError(f"{path}: its captions are in the order of filenames.pickle; none is there")
    captions = {}
    for split in SPLITS:
        names = splits[split]
        if counts[split] != expected * len(names):
            raise UserError(
                f"{path}: {counts[split]} {split} captions, expected {expected} for each of the "
                f"{len(names)} pictures in {split}/filenames.pickle"
            )
        for number, name in enumerate(names):
            first = number * expected
            own = by_split[split][first : first + expected]
            try:
                texts = [" ".join(words[word] for word in caption) for caption in own]
            except (TypeError, LookupError, AttributeError):
                raise UserError(f"{path}: {split} caption of {name} has an unknown word") from None
            where = (f"{path}: {split} caption {first + i}" for i in range(expected))
            captions[name] = report.captions(zip(texts, where, strict=True))
    report.notes.append("no caption files: captions are the words in captions.pickle")
    return captions


def _read_metadata(places, report):
    """The pictures' files, splits, classes and boxes by name, and the names of each split."""
    tables, intact = {}, {}
    for name, (what, form, parse) in _TABLES.items():
        place, file = places.need(what, name)
        data = place.read(file)
        tables[name], intact[name] = _read_table(place.path(file), data, form, parse, report)
        report.hashes[name] = hashlib.sha256(data).hexdigest()

    names = tables["classes.txt"]
    report.classes = [names[number] for number in sorted(names)]
    labels, boxes = tables["image_class_labels.txt"], tables["bounding_boxes.txt"]
    pictures = {}
    for image, file in tables["images.txt"].items():
        name = os.path.splitext(file)[0]
        if name in pictures:
            report.add("pictures listed twice", name, "in images.txt")
        pictures[name] = image
        if image not in boxes and intact["bounding_boxes.txt"]:
            report.add("pictures without a box", name, "not in bounding_boxes.txt")
        if image not in labels and intact["image_class_labels.txt"]:
            report.add("pictures without a class", name, "not in image_class_labels.txt")
        if image in labels and labels[image] not in names and intact["classes.txt"]:
            reason = f"its class {labels[image]} is not in classes.txt"
            report.add("pictures without a class", name, reason)

    numbers = {name: labels.get(image) for name, image in pictures.items()}
    splits = _read_splits(places, numbers, report, intact["images.txt"])
    entries = {
        name: (
            tables["images.txt"][pictures[name]],
            split,
            names[numbers[name]],
            boxes[pictures[name]],
        )
        for split in SPLITS
        for name in splits[split]
        if pictures.get(name) in boxes and numbers[name] in names
    }
    return entries, splits


def _read_table(path, data, form, parse: Callable[[str], Any], report):
    """A file of lines `<number> <value>` as a dict, and whether all of it could be read."""
    table, intact = {}, True
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        report.add(MALFORMED, path, "not UTF-8 text; save it as UTF-8", fatal=True)
        return table, False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            key, value = line.strip().split(maxsplit=1)
            key, value = int(key), parse(value)
        except ValueError:
            report.add(MALFORMED, f"{path}:{number}", f"expected {form!r}, found {line!r}")
            intact = False
            continue
        if key in table:
            report.add(MALFORMED, f"{path}:{number}", f"a second line for number {key}")
        table[key] = value
    if not table:
        report.add(MALFORMED, path, f"empty; expected lines of {form!r}", fatal=True)
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


def _read_splits(places, numbers, report, complete):
    """The names of each split's pictures.

    Args:
        places: Where to look.
        numbers: The class number of every picture by name.
        report: Collects the hashes of the files that are read and what is wrong with them.
        complete: Whether `numbers` is known to hold every picture.
    """
    files = [f"{split}/filenames.pickle" for split in SPLITS]
    if places.find(*files) is None:
        return _published_split(places, numbers, report)
    splits, seen = {}, {}
    for split, file in zip(SPLITS, files, strict=True):
        # A metadata folder is given for its split, so it is searched first.
        found = places.find(file, backwards=True)
        place, file = found or places.need(f"the names of the {split} pictures", file)
        path, data = place.path(file), place.read(file)
        report.hashes[file] = hashlib.sha256(data).hexdigest()
        splits[split] = names = safe_load_pickle(path, data)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError(f"{path}: not a list of picture names")
        if not names:
            report.add("empty splits", path, f"no {split} pictures", fatal=True)
        for name in names:
            if name not in numbers and complete:
                report.add("unknown pictures in the split", path, f"{name} is not in images.txt")
            if name in seen:
                report.add("pictures listed twice", name, f"in {seen[name]} and {path}", fatal=True)
            seen[name] = path
        info = f"{split}/class_info.pickle"
        if place.has(info):
            data = place.read(info)
            report.hashes[info] = hashlib.sha256(data).hexdigest()
            _check_class_info(place.path(info), data, names, numbers, report)
    return splits


def _check_class_info(path, data, names, numbers, report):
    """Checks that the class numbers in `class_info.pickle`, one per name, agree with the labels."""
    given = safe_load_pickle(path, data)
    if not isinstance(given, list) or len(given) != len(names):
        report.add(MALFORMED, path, f"not a list of {len(names)} class numbers", fatal=True)
        return
    for name, number in zip(names, given, strict=True):
        known = numbers.get(name)
        if known is not None and known != number:
            reason = f"{name} has class {number}, but {known} in image_class_labels.txt"
            report.add("contradicting classes", path, reason, fatal=True)


def _published_split(places, numbers, report):
    if len(numbers) != CUB_PICTURES or len(set(numbers.values())) != CUB_CLASSES:
        raise UserError(
            f"no train/filenames.pickle and test/filenames.pickle in any of {places}; "
            "without them the text-to-image split is known only for the whole CUB-200-2011"
        )
    splits = {"train": [], "test": []}
    for name, number in numbers.items():
        splits["test" if number in CUB_TEST_CLASSES else "train"].append(name)
    report.notes.append("no filenames.pickle: split by the 50 published test classes of CUB")
    return splits
