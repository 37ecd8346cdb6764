"""A data set in CUB's layout that is small enough to work out by hand."""

import pickle

import pytest
from PIL import Image

CLASSES = ("001.Red_Bird", "002.Green_Bird", "003.Blue_Bird")
COLOURS = ((200, 0, 0), (0, 200, 0), (0, 0, 200))


class MiniCub:
    """Six pictures of 60 x 40 pixels in three classes; the last class is the test split.

    Attributes:
        root: The folder that holds `CUB_200_2011/`, `text_c10/`, `train/` and `test/`.
        cub: `root / "CUB_200_2011"`.
        names: `<class>/<stem>` of the pictures, by image number - 1.
    """

    def __init__(self, root, captions_per_image=10):
        self.root = root
        self.cub = root / "CUB_200_2011"
        self.captions_per_image = captions_per_image
        self.names = [f"{name}/{name[4:]}_{i}" for name in CLASSES for i in (1, 2)]
        for name in CLASSES:
            (self.cub / "images" / name).mkdir(parents=True)
            (root / "text_c10" / name).mkdir(parents=True)
        for i, name in enumerate(self.names):
            Image.new("RGB", (60, 40), COLOURS[i // 2]).save(self.image(name), quality=95)
            self.write_captions(name, [f"a {c} bird" for c in "abcdefghijkl"[:captions_per_image]])
        self.write_table("images", [f"{name}.jpg" for name in self.names])
        self.write_table("classes", CLASSES)
        self.write_table("image_class_labels", [1, 1, 2, 2, 3, 3])
        self.write_table("bounding_boxes", ["10.0 5.0 20.0 16.0"] * 6)
        self.write_split("train", self.names[:4], [1, 1, 2, 2])
        self.write_split("test", self.names[4:], [3, 3])

    def image(self, name):
        return self.cub / "images" / f"{name}.jpg"

    def captions(self, name):
        return self.root / "text_c10" / f"{name}.txt"

    def write_captions(self, name, captions):
        self.captions(name).write_text("\n".join(captions) + "\n", encoding="utf-8")

    def write_table(self, name, rows):
        text = "".join(f"{number} {row}\n" for number, row in enumerate(rows, start=1))
        (self.cub / f"{name}.txt").write_text(text)

    def write_split(self, split, names, numbers):
        folder = self.root / split
        folder.mkdir(exist_ok=True)
        (folder / "filenames.pickle").write_bytes(pickle.dumps(names, protocol=2))
        (folder / "class_info.pickle").write_bytes(pickle.dumps(numbers, protocol=2))


@pytest.fixture
def mini_cub(tmp_path):
    """A fresh `MiniCub` that the test may spoil."""
    return MiniCub(tmp_path / "birds")
