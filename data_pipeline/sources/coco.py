"""Reads COCO's captions, of 2014 or 2017: five or more a picture, no classes, no boxes.

annotations/captions_{train,val}{2014,2017}.json      Lin et al., 2014; Chen et al., 2015
{train,val}{2014,2017}/<file>.jpg                     in the folder itself or in images/
{train,test}/filenames.pickle                         another split, such as AttnGAN's
"""

import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from data_pipeline.sources.source import MALFORMED, Example, Report, Source
from data_pipeline.support.errors import UserError
from data_pipeline.support.pickles import safe_load_pickle

YEARS = (2014, 2017)
_SPLITS = {"train": "train", "val": "test"}


def read(
    input_dir: str | os.PathLike,
    metadata_dir: str | os.PathLike | None = None,
    coco_year: int | None = None,
) -> Source:
    """COCO's pictures, whole.

    Args:
        input_dir: The folder of `annotations/` and of the folders of pictures.
        metadata_dir: The folder of `train/filenames.pickle` and `test/filenames.pickle`; without
            it COCO's own split is kept, its validation pictures for testing.
        coco_year: 2014 or 2017; by default the one that is there.

    Raises:
        UserError: There are no captions in the folder, or of both years.
    """
    root = Path(input_dir)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; it should hold annotations/")
    found = {}
    for year in YEARS if coco_year is None else [coco_year]:
        for part in _SPLITS:
            for folder in (root / "annotations", root):
                path = folder / f"captions_{part}{year}.json"
                if path.is_file():
                    found.setdefault(year, {}).setdefault(part, path)
    if not found:
        years = " or ".join(map(str, [coco_year] if coco_year else YEARS))
        raise UserError(f"{root}: no annotations/captions_train*.json or captions_val* of {years}")
    if len(found) > 1:
        raise UserError(f"{root}: captions of 2014 and 2017; choose one by --coco_year")
    ((year, files),) = found.items()
    metadata = None if metadata_dir is None else Path(metadata_dir)
    return Source(root, functools.partial(_examples, root, year, files, metadata))


def _examples(
    root: Path, year: int, files: dict[str, Path], metadata_dir: Path | None, report: Report
) -> Iterator[Example]:
    splits = None if metadata_dir is None else _read_split(metadata_dir, report)
    left = 0
    for part, path in files.items():
        folder = _pictures(root, f"{part}{year}")
        images, captions = _read_annotations(path, report)
        for image, name in images.items():
            split = _SPLITS[part] if splits is None else splits.pop(_number(name), None)
            if split is None:
                left += 1
                continue
            picture = report.file(folder, name, path)
            if image not in captions:
                report.add("pictures without captions", path, name)
            own = report.captions((text, f"{path}: {name}") for text in captions.get(image, ()))
            if picture is not None and own:
                yield Example(f"{part}{year}/{PurePosixPath(name).stem}", picture, own, split)
    if splits:
        for number in sorted(splits):
            report.add("unknown pictures in the split", metadata_dir, f"number {number}")
    if left:
        report.notes.append(f"{left} pictures are in neither list of {metadata_dir}")


def _pictures(root, name):
    for folder in (root / name, root / "images" / name):
        if folder.is_dir():
            return folder
    raise UserError(f"{root}: no folder {name}/ of pictures, nor images/{name}/")


def _read_annotations(path, report):
    """The file names by picture id, and the captions by picture id."""
    report.read_from(path)
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON, or cut short: {error}") from None
    try:
        images = {}
        for image in content["images"]:
            if image["id"] in images:
                report.add("pictures listed twice", path, f"id {image['id']}", fatal=True)
            images[image["id"]] = str(image["file_name"])
        captions: dict[object, list[object]] = {}
        for row in content["annotations"]:
            captions.setdefault(row["image_id"], []).append(row["caption"])
    except (TypeError, KeyError) as error:
        raise UserError(
            f"{path}: not COCO's captions ({error!r} in images or annotations)"
        ) from None
    for image in captions.keys() - images.keys():
        report.add(MALFORMED, path, f"captions of picture {image}, which is not among its images")
    return images, captions


def _read_split(folder, report):
    """The split of each picture by its number, which a picture has in both years."""
    splits = {}
    for split in ("train", "test"):
        path = folder / split / "filenames.pickle"
        names = safe_load_pickle(path)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError(f"{path}: not a list of picture names")
        report.read_from(path, f"{split}/filenames.pickle")
        for name in names:
            number = _number(name)
            if number in splits:
                report.add("pictures listed twice", path, name, fatal=True)
            splits[number] = split
    return splits


def _number(name):
    """12 of COCO_val2014_000000000012.jpg; the name itself if it does not end in a number."""
    stem = PurePosixPath(name).name.removesuffix(".jpg")
    last = stem.rpartition("_")[2]
    return int(last) if last.isdecimal() else stem
