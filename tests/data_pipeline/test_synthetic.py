import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from data_pipeline import synthetic
from data_pipeline.drawn import birds, perches, scenery
from data_pipeline.drawn import species as bird_species
from data_pipeline.drawn.painting import Painter
from data_pipeline.support.errors import UserError
from data_pipeline.support.pickles import safe_load_pickle

SMALL = {"num_train": 37, "num_test": 12, "num_species": 8, "seed": 3, "picture_size": 64}
BIRD = {
    "belly": "red",
    "wing": "blue",
    "crown": "yellow",
    "size": "small",
    "bill": "long",
    "bill_colour": "dark",
    "tail": "long",
    "crest": "crest",
    "eyering": "thin",
    "wingbars": "two",
    "legs": "dark",
    "perch": "branch",
}


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    path = tmp_path_factory.mktemp("synthetic") / "birds"
    assert synthetic.write(path, variety="plain", **SMALL) == 49
    return path


def read_table(root, table):
    lines = (root / "CUB_200_2011" / f"{table}.txt").read_text().splitlines()
    return dict(line.split(maxsplit=1) for line in lines)


def contents(root):
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def test_the_layout_is_cubs(data_set):
    assert sorted(path.name for path in data_set.iterdir()) == [
        "CUB_200_2011",
        "test",
        "text_c10",
        "train",
    ]
    images = read_table(data_set, "images")
    assert list(images) == [str(number) for number in range(1, 50)]
    classes = read_table(data_set, "classes")
    assert list(classes) == [str(number) for number in range(1, 9)]
    labels = read_table(data_set, "image_class_labels")
    boxes = read_table(data_set, "bounding_boxes")
    train = read_table(data_set, "train_test_split")
    assert list(labels) == list(boxes) == list(train) == list(images)
    pickled = {
        split: dict(
            zip(
                safe_load_pickle(data_set / split / "filenames.pickle"),
                safe_load_pickle(data_set / split / "class_info.pickle"),
                strict=True,
            )
        )
        for split in ("train", "test")
    }
    assert {split: len(names) for split, names in pickled.items()} == {"train": 37, "test": 12}
    for number, file_name in images.items():
        folder, stem = pathlib.PurePosixPath(file_name).with_suffix("").parts
        number_of_class = re.fullmatch(r"(\d{3})\.([A-Za-z_]+)", folder)
        assert int(number_of_class[1]) == int(labels[number])
        assert classes[labels[number]] == folder
        assert stem.startswith(number_of_class[2])
        split = "train" if train[number] == "1" else "test"
        assert pickled[split][f"{folder}/{stem}"] == int(labels[number])
        assert re.fullmatch(r"\d+\.\d( \d+\.\d){3}", boxes[number])
        with Image.open(data_set / "CUB_200_2011" / "images" / file_name) as image:
            assert image.format == "JPEG"
            assert image.size == (64, 64)
        lines = (data_set / "text_c10" / folder / f"{stem}.txt").read_text().splitlines()
        assert len(lines) == len(set(lines)) == 10
        attributes = json.loads((data_set / "text_c10" / folder / f"{stem}.json").read_text())
        assert set(attributes) == set(birds.PARTS) | set(birds.SECONDARY) | {"perch"}


def test_pickles_are_of_protocol_2(data_set):
    for path in data_set.glob("*/*.pickle"):
        assert path.read_bytes()[:2] == b"\x80\x02"


def test_pictures_are_spread_evenly(data_set):
    counts = np.bincount(
        [int(label) for label in read_table(data_set, "image_class_labels").values()]
    )
    assert counts[1:].min() == 6
    assert counts[1:].max() == 7


def test_workers_have_no_influence(data_set, tmp_path):
    synthetic.write(tmp_path / "birds", variety="plain", workers=2, **SMALL)
    assert contents(tmp_path / "birds") == contents(data_set)


def test_the_seed_has_influence(data_set, tmp_path):
    synthetic.write(tmp_path / "birds", variety="plain", **SMALL | {"seed": 4})
    other = contents(tmp_path / "birds")
    assert not set(other.values()) & {
        data for name, data in contents(data_set).items() if name.endswith(".jpg")
    }


@pytest.mark.parametrize("num_species", [40, 200, 729, 1000])
def test_species_of_train_and_test_are_disjoint(num_species):
    pictures, classes = bird_species.plan(8855, 2933, num_species, 0, "full")
    assert len(set(classes)) == num_species
    species = {picture.class_id: picture for picture in pictures}
    assert len(species) == num_species
    triples = {"train": set(), "test": set()}
    for picture in species.values():
        triples[picture.split].add(tuple(picture.attributes[part] for part in birds.PARTS))
    assert not triples["train"] & triples["test"]
    assert len(triples["train"] | triples["test"]) == min(num_species, 729)
    for split in triples.values():
        for colours in zip(*split, strict=True):
            assert set(colours) == set(birds.COLOURS)
    secondary = {
        tuple(value for key, value in picture.attributes.items() if key != "perch")
        for picture in species.values()
    }
    assert len(secondary) == num_species
    share = sum(picture.split == "test" for picture in species.values()) / num_species
    assert share == pytest.approx(2933 / 11788, abs=0.02)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_species": 1}, "two species"),
        ({"num_species": 60}, "two species"),
        ({"num_test": 0}, "at least one"),
        ({"variety": "wild"}, "plain, full"),
        ({"picture_size": 8}, "32 pixels"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        synthetic.write(tmp_path / "birds", **SMALL | changes)
    assert not list(tmp_path.iterdir())


def test_a_directory_in_the_way_is_refused(tmp_path):
    (tmp_path / "birds").mkdir()
    (tmp_path / "birds" / "mine.txt").write_text("precious")
    with pytest.raises(UserError, match="is not empty: remove it, or name another"):
        synthetic.write(tmp_path / "birds", **SMALL)
    assert (tmp_path / "birds" / "mine.txt").read_text() == "precious"


def test_nothing_is_left_of_a_drawing_that_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "_write_metadata", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        synthetic.write(tmp_path / "birds", variety="plain", **SMALL)
    assert not list(tmp_path.iterdir())


def test_the_entry_point_reports_one_line(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    command = [sys.executable, "-m", "data_pipeline.synthetic", f"--output_dir={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"error: output_dir .* exists and is not empty: .*\n", done.stderr)


@pytest.fixture
def bare(monkeypatch):
    """Birds on an even ground of a colour that no bird has, without perch and shadow."""
    ground = (255, 0, 255)
    monkeypatch.setattr(scenery, "background", lambda size, *_: Image.new("RGB", size, ground))
    monkeypatch.setattr(perches, "perch", lambda *_: None)
    monkeypatch.setattr(perches, "foreground", lambda *_: None)
    monkeypatch.setattr(Painter, "shadow", lambda *_: None)
    return ground


def drawn_box(image, ground):
    ys, xs = np.nonzero(np.abs(np.asarray(image, int) - ground).sum(-1) > 60)
    return xs.min(), ys.min(), xs.max() + 1 - xs.min(), ys.max() + 1 - ys.min()


@pytest.mark.parametrize("variety", birds.VARIETIES)
@pytest.mark.parametrize("number", range(6))
def test_the_box_is_tight(bare, variety, number):
    rng = np.random.default_rng(number)
    attributes = BIRD | {key: str(rng.choice(values)) for key, values in birds.SECONDARY.items()}
    image, box = birds.draw_bird(attributes, rng, 250, variety)
    assert max(image.size) == 250
    assert drawn_box(image, bare) == pytest.approx(box, abs=3)
    x, y, width, height = box
    assert min(x, y) >= 0
    assert x + width <= image.width
    assert y + height <= image.height


@pytest.mark.parametrize("box", [(60, 27, 325, 304), (139, 30, 153, 264), (0, 5, 400, 100)])
def test_a_bird_fills_a_given_box(bare, box):
    image = birds.draw_bird_in_box(BIRD, np.random.default_rng(0), box, 500)
    assert drawn_box(image, bare) == pytest.approx(box, abs=4)


@pytest.mark.parametrize("variety", birds.VARIETIES)
def test_the_named_colours_are_there_and_leak_nowhere(variety):
    palette = np.array(list(birds.COLOURS.values()), float)
    names = list(birds.COLOURS)
    for number in range(5):
        image, (x, y, width, height) = birds.draw_bird(
            BIRD, np.random.default_rng(number), 200, variety
        )
        pixels = np.asarray(image, float)
        vivid = pixels.max(-1) - pixels.min(-1) > 90
        nearest = np.linalg.norm(pixels[:, :, None] - palette, axis=-1).argmin(-1)
        area = width * height
        for part in birds.PARTS:
            assert (vivid & (nearest == names.index(BIRD[part]))).sum() > 0.04 * area, part
        outside = np.ones(vivid.shape, bool)
        outside[int(y) - 1 : int(y + height) + 2, int(x) - 1 : int(x + width) + 2] = False
        assert not (vivid & outside).any()


@pytest.mark.parametrize("variety", birds.VARIETIES)
def test_a_picture_is_a_function_of_its_generator(variety):
    first, box = birds.draw_bird(BIRD, np.random.default_rng(5), 100, variety)
    again, same_box = birds.draw_bird(BIRD, np.random.default_rng(5), 100, variety)
    other, _ = birds.draw_bird(BIRD, np.random.default_rng(6), 100, variety)
    assert box == same_box
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_stand_ins_keep_the_metadata(data_set, tmp_path):
    sample = tmp_path / "captions.txt"
    sample.write_text("".join(f"this\ufffd\ufffdbird is number {n}\n" for n in range(25)))
    number = synthetic.write(
        tmp_path / "stand_ins",
        metadata_dir=data_set,
        limit=8,
        captions_sample=sample,
        picture_size=64,
    )
    assert number == 8
    root = tmp_path / "stand_ins"
    for table in ("images", "bounding_boxes", "image_class_labels", "train_test_split"):
        own, whole = read_table(root, table), read_table(data_set, table)
        assert len(own) == 8
        assert own.items() <= whole.items()
    assert read_table(root, "classes") == read_table(data_set, "classes")
    for split, count in (("train", 6), ("test", 2)):
        names = safe_load_pickle(root / split / "filenames.pickle")
        whole = safe_load_pickle(data_set / split / "filenames.pickle")
        assert len(names) == count
        assert set(names) <= set(whole)
        classes = dict(
            zip(whole, safe_load_pickle(data_set / split / "class_info.pickle"), strict=True)
        )
        assert safe_load_pickle(root / split / "class_info.pickle") == [classes[n] for n in names]
        for name in names:
            assert (root / "CUB_200_2011" / "images" / f"{name}.jpg").exists()
    texts = [
        root / "text_c10" / pathlib.Path(n).with_suffix(".txt")
        for n in read_table(root, "images").values()
    ]
    real = [text for text in texts if "\ufffd\ufffd" in text.read_text()]
    assert real == texts[:2]
    assert [text for text in texts if not text.with_suffix(".json").exists()] == real


def test_stand_ins_need_whole_metadata(data_set, tmp_path):
    with pytest.raises(UserError, match="images.txt does not exist"):
        synthetic.write(tmp_path / "stand_ins", metadata_dir=tmp_path, limit=8)
    with pytest.raises(UserError, match="limit is 50"):
        synthetic.write(tmp_path / "stand_ins", metadata_dir=data_set, limit=50)
