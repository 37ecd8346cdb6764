"""Reads CelebA: faces with 40 attributes, which `faces` turns into captions.

    img_align_celeba/000001.jpg, ...      202,599 faces of 178 x 218 pixels; Liu et al., 2015
    list_attr_celeba.txt                  the number of pictures, the names, then 1 or -1 for each
    list_eval_partition.txt               0 train, 1 validation, 2 test

The folders Img/, Anno/ and Eval/ of the original and Kaggle's `.csv` tables are read as well.
"""

import functools
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_pipeline.sources.faces import ATTRIBUTES, captions_of
from data_pipeline.sources.source import MALFORMED, Example, Report, Source
from data_pipeline.support.errors import UserError

_PARTS = {"0": "train", "1": "validation", "2": "test"}


def read(
    input_dir: str | os.PathLike, captions_per_image: int | None = None, seed: int = 0
) -> Source:
    """Faces, with captions made of their attributes.

    Args:
        input_dir: The folder that holds the pictures' folder and the tables.
        captions_per_image: Captions of every picture; by default 10.
        seed: Decides the captions, together with each picture's name.

    Raises:
        UserError: The pictures or the attributes are not there.
    """
    root = Path(input_dir)
    attributes = _find(root, "", "Anno", "list_attr_celeba.txt")
    pictures = _find(root, "", "Img", "img_align_celeba")
    if pictures is None or attributes is None:
        raise UserError(f"{root}: it should hold img_align_celeba/ and list_attr_celeba.txt")
    if (pictures / "img_align_celeba").is_dir():  # Kaggle's archive nests it.
        pictures /= "img_align_celeba"
    parts = _find(root, "", "Eval", "list_eval_partition.txt")
    return Source(
        root,
        functools.partial(_examples, pictures, attributes, parts, captions_per_image or 10, seed),
    )


def _find(root, *places):
    *folders, name = places
    for folder in folders:
        for other in (name, name.replace(".txt", ".csv")):
            if (root / folder / other).exists():
                return root / folder / other
    return None


def _examples(
    folder: Path, table: Path, parts: Path | None, count: int, seed: int, report: Report
) -> Iterator[Example]:
    splits = {} if parts is None else _read_parts(parts, report)
    report.read_from(table)
    for line, name, values in _rows(table, report):
        where = f"{table}:{line}"
        if parts is not None and name not in splits:
            report.add("pictures without a split", where, f"{name} is not in {parts.name}")
            continue
        picture = report.file(folder, name, where)
        if picture is not None:
            rng = np.random.default_rng([seed, zlib.crc32(name.encode(errors="replace"))])
            yield Example(
                os.path.splitext(name)[0],
                picture,
                tuple(captions_of(values, rng, count)),
                splits.get(name),
                attributes=json.dumps(values),
            )


def _lines(path):
    """The cells of each line, with its number; cells are divided by spaces or commas."""
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        for number, line in enumerate(file, start=1):
            cells = line.replace(",", " ").split()
            if cells:
                yield number, cells


def _read_parts(path, report):
    report.read_from(path)
    splits = {}
    for number, cells in _lines(path):
        if len(cells) == 2 and cells[1] in _PARTS:
            if cells[0] in splits:
                report.add("pictures listed twice", f"{path}:{number}", cells[0])
            splits[cells[0]] = _PARTS[cells[1]]
        elif cells != ["image_id", "partition"]:
            report.add(MALFORMED, f"{path}:{number}", f"expected a name and 0, 1 or 2: {cells}")
    return splits


def _rows(path, report):
    """The rows of the table of attributes: line, file name and truth by attribute."""
    lines = _lines(path)
    number, header = next(lines, (1, []))
    if len(header) == 1:  # The number of pictures.
        number, header = next(lines, (2, []))
    names = header[1:] if header[:1] == ["image_id"] else header
    missing = [name for name in ATTRIBUTES if name not in names]
    if missing:
        raise UserError(f"{path}:{number}: no column {missing[0]} among the attributes")
    for number, cells in lines:
        name, *values = cells
        if len(values) != len(names) or not set(values) <= {"1", "-1", "0"}:
            reason = f"expected a name and {len(names)} numbers, each 1 or -1"
            report.add(MALFORMED, f"{path}:{number}", reason)
            continue
        truth = dict(zip(names, values, strict=True))
        yield number, name, {name: truth[name] == "1" for name in ATTRIBUTES}
