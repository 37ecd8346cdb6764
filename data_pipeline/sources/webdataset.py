"""Reads tar shards of pictures with captions, as WebDataset and img2dataset write them.

    <name>.tar: 000000.jpg, 000000.txt, 000000.json, 000000.cls, 000001.jpg, ...

Files that belong together are called alike up to the first point and follow each other. Nothing is
extracted: pictures are read in their place, and links, devices and their like are refused.
"""

import functools
import gzip
import json
import os
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from data_pipeline.sources.source import (
    MALFORMED,
    PICTURES,
    Example,
    Report,
    Source,
    split_of,
)
from data_pipeline.sources.texts import caption_lines
from data_pipeline.support.errors import UserError
from data_pipeline.support.parts import FilePart

_PACKED = (".tar.gz", ".tgz")
_CAPTION = ("caption", "captions", "text")
_MOST_TEXT = 1 << 20  # Bytes of a member that is no picture.
_MOST_PICTURE = 1 << 28


def read(
    input_dir: str | os.PathLike,
    caption_column: str | None = None,
    class_column: str | None = None,
) -> Source:
    """Pictures and captions in tar files.

    Args:
        input_dir: The folder of the shards, or a shard. Splits are told by the names of shards or
            of subfolders: `train-0000.tar`, `test/0000.tar`.
        caption_column: Key of the captions in the `.json` members. By default captions are the
            lines of the `.txt` members, or where there is none `caption`, `captions` or `text` in
            the `.json`.
        class_column: Key of the class in the `.json` members; by default the `.cls` member is the
            class, and without one each picture is its own.

    Raises:
        UserError: There are no shards.
    """
    root = Path(input_dir)
    if root.is_file():
        shards = [root]
        root = root.parent
    else:
        found = (*root.rglob("*.tar"), *root.rglob("*.tar.gz"), *root.rglob("*.tgz"))
        shards = sorted(path for path in found if path.is_file())
    if not shards:
        raise UserError(f"{root}: no tar files in it")
    return Source(
        input_dir, functools.partial(_examples, root, shards, caption_column, class_column)
    )


def _examples(
    root: Path, shards: list[Path], caption_key: str | None, class_key: str | None, report: Report
) -> Iterator[Example]:
    for shard in shards:
        below = shard.relative_to(root).as_posix()
        if not report.holds(root, below):
            continue
        words = re.split(r"[^a-z]+", below.lower())
        split = next((split for split in map(split_of, words) if split), None)
        name = re.sub(r"\.(tar\.gz|tgz|tar)$", "", below)
        for key, members in _samples(shard, report):
            example = _read_sample(shard, key, members, caption_key, class_key, report)
            if example is not None:
                picture, captions, class_name = example
                yield Example(f"{name}/{key}", picture, captions, split, class_name)


def _samples(shard, report):
    """The members of each sample: dicts from suffix to bytes, or to a part of the shard."""
    packed = shard.name.endswith(_PACKED)
    key, members = None, {}
    try:
        with tarfile.open(shard, "r|gz" if packed else "r:") as tar:
            for member in tar:
                own_key, _, suffix = member.name.rpartition("/")[2].partition(".")
                own_key = member.name[: len(member.name) - len(suffix) - 1] if suffix else own_key
                if member.isdir() or own_key.rpartition("/")[2].startswith("."):
                    continue
                if own_key != key:
                    if members:
                        yield key, members
                    key, members = own_key, {}
                content = _content(tar, shard, member, f".{suffix.lower()}", packed, report)
                if content is None:
                    members["refused"] = b""
                elif f".{suffix.lower()}" in members:
                    report.add("doubled members", f"{shard}:{member.name}", "there are two of it")
                else:
                    members[f".{suffix.lower()}"] = content
            if members:
                yield key, members
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        report.add(MALFORMED, shard, f"damaged or cut short ({error})", fatal=True)


def _content(tar, shard, member, suffix, packed, report):
    """The bytes of a member, or where they lie; None after reporting why it is refused."""
    where = f"{shard}:{member.name}"
    if not member.isreg() or member.issparse():
        report.add("refused members", where, "a link, a device or another thing that is no file")
        return None
    if member.name.startswith("/") or ".." in member.name.split("/"):
        report.add("refused members", where, "its path leads out of the archive")
        return None
    is_picture = suffix in PICTURES
    if member.size > (_MOST_PICTURE if is_picture else _MOST_TEXT):
        if is_picture or suffix in (".txt", ".json", ".cls"):
            report.add("refused members", where, f"{member.size:,} bytes")
            return None
        return b""  # Something else: a video, an embedding.
    if is_picture and not packed:
        return FilePart(shard, member.offset_data, member.size, where)
    return tar.extractfile(member).read()


def _read_sample(shard, key, members, caption_key, class_key, report):
    where = f"{shard}:{key}"
    if "refused" in members:
        return None
    pictures = [suffix for suffix in members if suffix in PICTURES]
    if len(pictures) != 1:
        reason = f"{len(pictures)} pictures, expected one ({', '.join(members)})"
        report.add("missing pictures" if not pictures else "doubled members", where, reason)
        return None
    values = {}
    if ".json" in members:
        try:
            values = json.loads(members[".json"])
        except (ValueError, RecursionError) as error:
            report.add("malformed rows", f"{where}.json", f"not JSON: {error}")
            return None
        if not isinstance(values, dict):
            report.add("malformed rows", f"{where}.json", "expected an object")
            return None
    captions = _captions(where, members, values, caption_key, report)
    class_name = None
    if class_key is not None:
        if class_key not in values:
            report.add("rows without a column", f"{where}.json", f"no {class_key}")
            return None
        class_name = str(values[class_key])
    elif ".cls" in members:
        class_name = members[".cls"].decode(errors="surrogateescape").strip()
    return (members[pictures[0]], captions, class_name) if captions else None


def _captions(where, members, values, key, report):
    if key is None and ".txt" in members:
        return tuple(
            caption_lines(Path(f"{where}.txt"), members[".txt"], report, blank_lines=False) or ()
        )
    keys = _CAPTION if key is None else (key,)
    found = next((name for name in keys if name in values), None)
    if found is None:
        reason = f"no .txt and no {' or '.join(keys)} in .json" if key is None else f"no {key}"
        report.add("missing captions", where, reason)
        return ()
    texts = values[found]
    if texts == []:
        report.add("empty captions", f"{where}.json", "an empty list")
    texts = texts if isinstance(texts, list) else [texts]
    return report.captions((text, f"{where}.json") for text in texts)
