"""Small data sets in the layouts of the sources, eight pictures each, and how to read them."""

import csv
import io
import json
import tarfile

from PIL import Image

from data_pipeline.sources import celeba, coco, folder, table, webdataset
from data_pipeline.sources.faces import ATTRIBUTES
from data_pipeline.sources.source import Report

COLOURS = ("red", "green", "blue", "white")


def draw(path, colour="red", size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def jpeg(colour):
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "JPEG")
    return file.getvalue()


def read(source):
    """The examples and the report, of a source without problems."""
    report = Report()
    examples = list(source.examples(report))
    report.raise_if_any(source.where)
    return examples, report


def problems(source):
    """What is wrong, as lines, and the examples that are good."""
    report = Report()
    examples = list(source.examples(report))
    return "\n".join(report.lines()), examples


def make_folder(root):
    for split, numbers in (("train", range(6)), ("test", range(6, 8))):
        for i in numbers:
            path = draw(root / split / COLOURS[i % 4] / f"{i}.png", COLOURS[i % 4])
            path.with_suffix(".txt").write_text(f"a {COLOURS[i % 4]} card\ncard number {i}\n")
    return lambda: folder.read(root)


def make_csv(root):
    rows = [("file_name", "text", "kind")]
    for i in range(8):
        draw(root / f"{i}.jpg", COLOURS[i % 4])
        rows += [(f"{i}.jpg", f"a {COLOURS[i % 4]} card", COLOURS[i % 4])]
    rows += [(f"{i}.jpg", f"card number {i}", COLOURS[i % 4]) for i in range(8)]
    with (root / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return lambda: table.read(root, class_column="kind")


def make_jsonl(root):
    rows = []
    for i in range(8):
        draw(root / "pictures" / f"{i}.jpg", COLOURS[i % 4])
        rows.append(
            {
                "image": f"{i}.jpg",
                "captions": [f"a {COLOURS[i % 4]} card", f"card number {i}"],
                "split": "train" if i < 6 else "val",
                "box": [5, 5, 20, 20],
            }
        )
    (root / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return lambda: table.read(
        root / "own.jsonl",
        images_dir=root / "pictures",
        split_column="split",
        box_column="box",
    )


def make_coco(root, year=2014):
    for part, numbers in (("train", range(6)), ("val", range(6, 8))):
        images, annotations = [], []
        for i in numbers:
            name = f"COCO_{part}{year}_{i:012d}.jpg" if year == 2014 else f"{i:012d}.jpg"
            draw(root / f"{part}{year}" / name, COLOURS[i % 4])
            images.append({"id": i, "file_name": name, "width": 40, "height": 30})
            for j in range(5 + i % 2):
                caption = f"A {COLOURS[i % 4]} card, seen {j} times."
                annotations.append({"image_id": i, "id": 10 * i + j, "caption": caption})
        folder = root / "annotations"
        folder.mkdir(exist_ok=True)
        content = {"info": {}, "images": images, "annotations": annotations}
        (folder / f"captions_{part}{year}.json").write_text(json.dumps(content))
    return lambda: coco.read(root)


def make_celeba(root):
    rows, parts = ["8", " ".join(ATTRIBUTES)], []
    for i in range(8):
        draw(root / "img_align_celeba" / f"{i + 1:06d}.jpg", COLOURS[i % 4], (44, 54))
        values = ["1" if (i * 7 + j * j) % 3 == 0 else "-1" for j in range(len(ATTRIBUTES))]
        rows.append(f"{i + 1:06d}.jpg " + " ".join(f"{value:>2}" for value in values))
        parts.append(f"{i + 1:06d}.jpg {(0, 0, 0, 0, 0, 1, 2, 2)[i]}")
    (root / "list_attr_celeba.txt").write_text("\n".join(rows) + "\n")
    (root / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    return lambda: celeba.read(root)


def write_tar(path, members, mode="w"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def make_webdataset(root, mode="w"):
    suffix = ".tar" if mode == "w" else ".tar.gz"
    for split, numbers in (("train", range(6)), ("test", range(6, 8))):
        members = []
        for i in numbers:
            caption = f"a {COLOURS[i % 4]} card"
            members += [(f"{i:05d}.jpg", jpeg(COLOURS[i % 4]))]
            if i % 2:
                members += [(f"{i:05d}.txt", caption.encode())]
            else:
                members += [(f"{i:05d}.json", json.dumps({"caption": caption}).encode())]
        write_tar(root / f"{split}-00000{suffix}", members, mode)
    return lambda: webdataset.read(root)


LAYOUTS = {
    "folder": make_folder,
    "csv": make_csv,
    "jsonl": make_jsonl,
    "coco": make_coco,
    "coco2017": lambda root: make_coco(root, 2017),
    "celeba": make_celeba,
    "webdataset": make_webdataset,
    "webdataset.gz": lambda root: make_webdataset(root, "w:gz"),
}
