"""Reads a table with a row for each picture or caption.

The table is a CSV, TSV, JSONL, JSON or Parquet file, or the metadata file of a Hugging Face
ImageFolder (`metadata.csv`, `metadata.jsonl` or `metadata.parquet`, beside the pictures or in each
of train/, test/ and validation/). Rows of the same picture add captions.
"""

import functools
import itertools
import json
import math
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_pipeline.sources.rows import SUFFIXES, Row, columns_of, rows_of
from data_pipeline.sources.source import Box, Example, Report, Source, split_of
from data_pipeline.support.errors import UserError

CAPTION_COLUMNS = ("caption", "captions", "text", "texts", "description", "sentence", "sentences")

_IMAGE = ("file_name", "filename", "image", "image_path", "path", "file", "img")


def read(
    input_dir: str | os.PathLike,
    images_dir: str | os.PathLike | None = None,
    image_column: str | None = None,
    caption_column: str | None = None,
    split_column: str | None = None,
    class_column: str | None = None,
    box_column: str | None = None,
) -> Source:
    """Pictures and captions that a table names.

    Args:
        input_dir: The table, or the folder that holds it.
        images_dir: The folder that the pictures' paths begin in; by default the table's.
        image_column: Column of the pictures' paths; Parquet may hold the pictures themselves. By
            default the one of `file_name`, `image`, `path` and their like that there is.
        caption_column: Column of captions; a JSONL or Parquet cell may be a list. By default the
            one of `caption`, `captions`, `text` and their like that there is.
        split_column: Column of the splits.
        class_column: Column of the classes; by default each picture is its own.
        box_column: Column of boxes, "x,y,width,height" or a list of the four numbers.

    Raises:
        UserError: There is no table there, or several.
    """
    tables = _tables(Path(input_dir))
    columns = {
        "image": image_column,
        "caption": caption_column,
        "split": split_column,
        "class": class_column,
        "box": box_column,
    }
    folder = None if images_dir is None else Path(images_dir)
    if folder is not None and not folder.is_dir():
        raise UserError(f"--images_dir={folder}: no such folder")
    return Source(input_dir, functools.partial(_examples, tables, folder, columns))


def _tables(place: Path) -> list[tuple[Path, str, str | None]]:
    """The tables, each with the names' prefix and the split of its rows."""
    if place.is_file():
        if place.suffix.lower() not in SUFFIXES:
            raise UserError(f"{place}: not a table ({', '.join(SUFFIXES)})")
        return [(place, "", None)]
    if not place.is_dir():
        raise UserError(f"{place}: no such file or folder")
    tops = [entry for entry in sorted(place.iterdir()) if entry.is_dir() and split_of(entry.name)]
    for folders in ([place], tops):
        found = [
            (folder / f"metadata{suffix}", folder) for folder in folders for suffix in SUFFIXES
        ]
        found = [(path, folder) for path, folder in found if path.is_file()]
        if len(found) > len({folder for _, folder in found}):
            raise UserError(f"{place}: several metadata files; name one as --input_dir")
        if found:
            return [
                (path, f"{folder.name}/", split_of(folder.name))
                if folder != place
                else (path, "", None)
                for path, folder in found
            ]
    for folder in (place, place / "data"):
        found = [path for path in sorted(folder.glob("*")) if path.suffix.lower() in SUFFIXES]
        parts = [(path, f"{path.stem}/", split_of(path.name.split("-")[0])) for path in found]
        if found and all(split for _, _, split in parts):  # train-00000-of-00004.parquet
            return parts
        if len(found) == 1:
            return [(found[0], "", None)]
        if found:
            names = ", ".join(path.name for path in found[:5])
            raise UserError(f"{place}: several tables ({names}); name one as --input_dir")
    raise UserError(f"{place}: no table in it ({', '.join(SUFFIXES)})")


def _examples(tables, images_dir, columns, report: Report) -> Iterator[Example]:
    for path, prefix, split in tables:
        names = _choose(path, columns)
        report.read_from(path, prefix + path.name)
        folder = path.parent if images_dir is None else images_dir
        with _Groups() as groups:
            for row in rows_of(path, [name for name in names.values() if name], report):
                yield from _sort_in(row, names, groups, prefix, split, report)
            for rows in groups.by_picture():
                example = _merge(rows, folder, prefix, split, report)
                if example is not None:
                    yield example


def _choose(path: Path, columns: dict[str, str | None]) -> dict[str, str | None]:
    """The columns to read by role."""
    there = columns_of(path)
    chosen = dict(columns)
    for role, usual in (("image", _IMAGE), ("caption", CAPTION_COLUMNS)):
        if chosen[role] is None:
            found = [name for name in usual if name in there]
            if len(found) != 1:
                what = (
                    f"several columns may be the {role}" if found else f"no column for the {role}"
                )
                raise UserError(
                    f"{path}: {what}; name it by --{role}_column (columns: {', '.join(there)})"
                )
            chosen[role] = found[0]
    for role, name in chosen.items():
        if name is not None and name not in there:
            raise UserError(
                f"{path}: --{role}_column={name}: no such column (columns: {', '.join(there)})"
            )
    return chosen


def _sort_in(row: Row, names, groups, prefix, split, report) -> Iterator[Example]:
    """Keeps a row until all rows are read; gives it at once if it holds the picture itself."""
    image, captions = row.values[names["image"]], row.values[names["caption"]]
    rest = {role: row.values[name] for role, name in names.items() if name}
    rest.pop("image")
    rest["captions"] = captions if isinstance(captions, list | tuple) else [captions]
    rest.pop("caption")
    rest["where"] = row.where
    if isinstance(image, dict):  # As Hugging Face stores pictures in Parquet.
        data, name = image.get("bytes"), image.get("path") or f"row_{row.number}"
        if not isinstance(data, bytes):
            report.add("missing pictures", row.where, "the cell holds no picture")
            return
        example = _merge([{**rest, "image": str(name)}], data, prefix, split, report)
        if example is not None:
            yield example
    elif not isinstance(image, str) or not image.strip():
        report.add("missing pictures", row.where, f"{image!r} is not a file name")
    else:
        groups.add(image, {**rest, "image": image})


class _Groups:
    """Rows by picture, in a file of their own, so that memory does not hold them."""

    def __enter__(self) -> "_Groups":
        self._base = sqlite3.connect("")
        self._base.execute("CREATE TABLE rows (picture BLOB, data TEXT)")
        return self

    def __exit__(self, *exception) -> None:
        self._base.close()

    def add(self, picture: str, row: dict) -> None:
        key = os.path.normpath(picture).encode(errors="surrogatepass")
        self._base.execute("INSERT INTO rows VALUES (?, ?)", (key, json.dumps(row, default=str)))

    def by_picture(self) -> Iterator[list[dict]]:
        self._base.execute("CREATE INDEX pictures ON rows (picture)")
        found = self._base.execute(
            "SELECT first, data FROM rows JOIN (SELECT picture, MIN(rowid) AS first FROM rows "
            "GROUP BY picture) USING (picture) ORDER BY first, rows.rowid"
        )
        for _, rows in itertools.groupby(found, key=lambda row: row[0]):
            yield [json.loads(data) for _, data in rows]


def _merge(rows, folder: Path | bytes, prefix, split, report) -> Example | None:
    """The example of all rows of a picture; None after reporting what is wrong with it."""
    first = rows[0]
    picture = folder
    if isinstance(folder, Path):
        picture = report.file(folder, first["image"], first["where"])
        if picture is None:
            return None
    for role in ("split", "class", "box"):
        for row in rows[1:]:
            if row.get(role) != first.get(role):
                reason = f"{role} {row.get(role)!r}, but {first.get(role)!r} in {first['where']}"
                report.add("contradicting rows", row["where"], reason)
                return None
    captions = _captions(rows, report)
    if first.get("split") is not None:
        split = report.split(first["split"], first["where"])
        if split is None:
            return None
    box = None
    if "box" in first:
        box = _box(first["box"])
        if box is None:
            reason = f"{first['box']!r} is not x,y,width,height with width and height above 0"
            report.add("malformed boxes", first["where"], reason)
            return None
    class_name = first.get("class")
    if class_name in (None, ""):
        class_name = None
    name = prefix + os.path.splitext(os.path.normpath(first["image"]))[0]
    own_class = None if class_name is None else str(class_name)
    return Example(name, picture, captions, split, own_class, box) if captions else None


def _captions(rows, report):
    """All good captions of a picture; a row that repeats another one is reported."""
    seen, captions = {}, []
    for row in rows:
        text = tuple(map(str, row["captions"]))
        if text in seen:
            report.add("doubled rows", row["where"], f"the same as {seen[text]}")
            continue
        seen[text] = row["where"]
        if not row["captions"]:
            report.add("empty captions", row["where"], "an empty list")
        captions += report.captions((caption, row["where"]) for caption in row["captions"])
    return tuple(captions)


def _box(value: str | Sequence[float]) -> Box | None:
    try:
        parts = value.strip(" []()").replace(",", " ").split() if isinstance(value, str) else value
        x, y, width, height = (float(part) for part in parts)
    except (TypeError, ValueError):
        return None
    if not all(map(math.isfinite, (x, y, width, height))) or width <= 0 or height <= 0:
        return None
    return x, y, width, height
