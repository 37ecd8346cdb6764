"""Reads folders of pictures, each with its captions in a text file beside it.

[train/ | test/ | val/] [<class>/...] <stem>.jpg
[train/ | test/ | val/] [<class>/...] <stem>.txt     captions, one per line
[train/ | test/ | val/] [<class>/...] <stem>.json    true attributes, if they are known
"""

import functools
import os
from collections.abc import Iterator
from pathlib import Path

from data_pipeline.sources.source import (
    PICTURES,
    Example,
    Report,
    Source,
    split_of,
)
from data_pipeline.sources.texts import read_attributes, read_captions
from data_pipeline.support.errors import UserError

_NOT_CAPTIONS = ("readme", "license", "licence")  # Text files that people put beside pictures.


def read(
    input_dir: str | os.PathLike,
    captions_per_image: int | None = None,
    class_folders: bool = True,
) -> Source:
    """Pictures with text files of the same names.

    Args:
        input_dir: The folder. If it has subfolders for splits, nothing else in it is read.
        captions_per_image: Captions of every picture; by default any number.
        class_folders: Whether subfolders are classes. Pictures that lie in none are each a class
            of their own.

    Raises:
        UserError: The folder does not exist.
    """
    root = Path(input_dir)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder")
    return Source(root, functools.partial(_examples, root, captions_per_image, class_folders))


def _examples(
    root: Path, expected: int | None, class_folders: bool, report: Report
) -> Iterator[Example]:
    tops = {entry.name: split_of(entry.name) for entry in root.iterdir() if entry.is_dir()}
    tops = {name: split for name, split in sorted(tops.items()) if split}
    doubled = len(set(tops.values())) < len(tops)
    if doubled:
        raise UserError(f"{root}: {', '.join(tops)} are names of the same split; keep one of them")
    for top, split in tops.items() or [("", None)]:
        found = False
        for folder, names in _folders(root / top, report):
            below = folder.relative_to(root / top).as_posix()
            class_name = below if class_folders and below != "." else None
            for stem, suffixes in sorted(_by_stem(names).items()):
                found = True
                example = _read_one(root, folder, stem, suffixes, expected, report)
                if example is not None:
                    name, picture, captions, attributes = example
                    yield Example(name, picture, captions, split, class_name, attributes=attributes)
        if top and not found:
            raise UserError(f"{root / top}: no pictures; fill the folder, or remove it")


def _folders(top: Path, report: Report) -> Iterator[tuple[Path, list[str]]]:
    """The folders from `top` down and the names of their files; hidden ones are passed over."""

    def fail(error):
        raise error

    for path, folders, files in os.walk(top, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if (Path(path) / name).is_symlink():  # os.walk does not follow it.
                reason = "a link to a folder; copy the folder there, or mount it"
                report.add("paths out of their folder", Path(path) / name, reason)
        yield Path(path), [name for name in files if not name.startswith(".")]


def _by_stem(names):
    """The suffixes of each stem that has a picture or captions."""
    found = {}
    for name in names:
        stem, suffix = os.path.splitext(name)
        text = suffix.lower() == ".txt" and stem.lower() not in _NOT_CAPTIONS
        if text or suffix.lower() in PICTURES:
            found.setdefault(stem, []).append(suffix)
    return found


def _read_one(root, folder, stem, suffixes, expected, report):
    pictures = sorted(suffix for suffix in suffixes if suffix.lower() != ".txt")
    ending = next((suffix for suffix in suffixes if suffix.lower() == ".txt"), ".txt")
    text = folder / f"{stem}{ending}"
    if not pictures:
        report.add("missing pictures", text, f"no picture of this name ({', '.join(PICTURES)})")
        return None
    if len(pictures) > 1:
        names = " and ".join(stem + suffix for suffix in pictures)
        report.add("pictures of the same name", folder / stem, f"{names} have one caption file")
        return None
    picture = report.file(folder, stem + pictures[0])
    if picture is None or not _within(folder, (text.name, f"{stem}.json"), report):
        return None
    captions = read_captions(text, expected, report)
    if not captions:
        return None
    attributes = read_attributes(folder / f"{stem}.json", report)
    name = (folder / stem).relative_to(root).as_posix()
    return name, picture, captions, attributes


def _within(folder, names, report):
    return all(report.holds(folder, name) for name in names)
