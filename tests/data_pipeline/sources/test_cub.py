import hashlib
import json
import pickle
import shutil

import pytest
from PIL import Image

from data_pipeline.sources import cub
from data_pipeline.sources.source import Problems
from data_pipeline.support.errors import UserError

KINDS = {
    "missing picture": (
        lambda mini: mini.image(mini.names[1]).unlink(),
        r"missing pictures \(1\):\n  .*/images/001.Red_Bird/Red_Bird_2.jpg: no such file",
    ),
    "nine captions": (
        lambda mini: mini.write_captions(mini.names[0], ["red"] * 9),
        r"wrong number of captions \(1\):\n  .*/Red_Bird_1.txt: expected 10, found 9",
    ),
    "no captions": (
        lambda mini: mini.captions(mini.names[0]).write_text("\n\n"),
        r"wrong number of captions \(1\):\n  .*/Red_Bird_1.txt: expected 10, found 0",
    ),
    "captions in Latin-1": (
        lambda mini: mini.captions(mini.names[0]).write_bytes(b"red\ncaf\xe9\n" * 5),
        r"not UTF-8 \(1\):\n  .*/Red_Bird_1.txt: byte 0xe9 in line 2",
    ),
    "missing caption file": (
        lambda mini: mini.captions(mini.names[5]).unlink(),
        r"missing caption files \(1\):\n  .*/Blue_Bird_2.txt: no such file",
    ),
    "attributes that are no JSON": (
        lambda mini: mini.captions(mini.names[0]).with_suffix(".json").write_text("{"),
        r"attribute files that are not JSON \(1\):\n  .*/Red_Bird_1.json: ",
    ),
    "twice in a split": (
        lambda mini: mini.write_split("test", mini.names[4:] + mini.names[4:5], [3, 3, 3]),
        r"listed twice \(1\):\n  003.Blue_Bird/Blue_Bird_1: in .*/test/filenames.pickle",
    ),
    "in both splits": (
        lambda mini: mini.write_split("test", mini.names[3:], [2, 3, 3]),
        r"listed twice \(1\):\n  002.Green_Bird/Green_Bird_2: in .*/train/.* and .*/test/",
    ),
    "twice in images.txt": (
        lambda mini: mini.write_table("images", [f"{n}.jpg" for n in mini.names[:5] * 2][:6]),
        r"listed twice \(1\):\n  001.Red_Bird/Red_Bird_1: in images.txt",
    ),
    "empty split": (
        lambda mini: mini.write_split("test", [], []),
        r"empty splits \(1\):\n  .*/test/filenames.pickle: no test pictures",
    ),
    "unknown picture": (
        lambda mini: mini.write_split("test", ["009.Owl/Owl_1"], [9]),
        r"unknown pictures in the split \(1\):\n  .*/test/filenames.pickle: 009.Owl/Owl_1 is not",
    ),
    "contradicting class": (
        lambda mini: mini.write_split("test", mini.names[4:], [3, 2]),
        r"contradicting classes \(1\):\n  .*: 003.Blue_Bird/Blue_Bird_2 has class 2, but 3 in",
    ),
    "class numbers too few": (
        lambda mini: mini.write_split("test", mini.names[4:], [3]),
        r"malformed metadata \(1\):\n  .*/test/class_info.pickle: not a list of 2 class numbers",
    ),
    "box of three numbers": (
        lambda mini: mini.write_table("bounding_boxes", ["1 2 3 4"] * 4 + ["1 2 3"] * 2),
        r"malformed metadata \(2\):\n  .*/bounding_boxes.txt:5: expected '<image> <x> .*\n"
        r"  .*/bounding_boxes.txt:6: ",
    ),
    "box without width": (
        lambda mini: mini.write_table("bounding_boxes", ["1 2 0 4"] + ["1 2 3 4"] * 5),
        r"malformed metadata \(1\):\n  .*/bounding_boxes.txt:1: .*above 0",
    ),
    "box not a number": (
        lambda mini: mini.write_table("bounding_boxes", ["1 nan 3 4"] + ["1 2 3 4"] * 5),
        r"malformed metadata \(1\):\n  .*/bounding_boxes.txt:1: .*found '1 1 nan 3 4'",
    ),
    "two boxes": (
        lambda mini: (mini.cub / "bounding_boxes.txt").open("a").write("3 1 2 3 4\n"),
        r"malformed metadata \(1\):\n  .*/bounding_boxes.txt:7: a second line for number 3",
    ),
    "no box": (
        lambda mini: mini.write_table("bounding_boxes", ["1 2 3 4"] * 5),
        r"without a box \(1\):\n  003.Blue_Bird/Blue_Bird_2: not in bounding_boxes.txt",
    ),
    "no class": (
        lambda mini: mini.write_table("image_class_labels", [1, 1, 2, 2, 3]),
        r"without a class \(1\):\n  003.Blue_Bird/Blue_Bird_2: not in image_class_labels.txt",
    ),
    "unnamed class": (
        lambda mini: mini.write_table("classes", ["001.Red_Bird", "002.Green_Bird"]),
        r"without a class \(2\):\n  003.Blue_Bird/Blue_Bird_1: its class 3 is not in classes.txt",
    ),
    "empty table": (
        lambda mini: (mini.cub / "images.txt").write_text("\n"),
        r"malformed metadata \(1\):\n  .*/images.txt: empty; expected lines of '<image> <class>",
    ),
    "table in Latin-1": (
        lambda mini: (mini.cub / "classes.txt").write_bytes(b"1 caf\xe9\n"),
        r"malformed metadata \(1\):\n  .*/classes.txt: not UTF-8 text",
    ),
}


def test_examples_of_a_small_data_set(mini_cub):
    attributes = mini_cub.captions(mini_cub.names[4]).with_suffix(".json")
    attributes.write_text('{"wing": "blue"}\n')
    raw = cub.read(mini_cub.root)
    assert [example.name for example in raw.examples] == mini_cub.names
    assert [example.split for example in raw.examples] == ["train"] * 4 + ["test"] * 2
    assert [example.class_id for example in raw.examples] == [0, 0, 1, 1, 2, 2]
    example = raw.examples[4]
    assert example.class_name == "003.Blue_Bird"
    assert example.box == (10.0, 5.0, 20.0, 16.0)
    assert example.captions == tuple(f"a {c} bird" for c in "abcdefghij")
    assert json.loads(example.attributes) == {"wing": "blue"}
    assert raw.examples[0].attributes == ""
    assert Image.open(example.image_path).size == (60, 40)
    assert raw.classes == ["001.Red_Bird", "002.Green_Bird", "003.Blue_Bird"]
    assert raw.notes == ()
    tables = ["images", "classes", "image_class_labels", "bounding_boxes"]
    pickles = [f"{split}/{name}" for split in cub.SPLITS for name in ("filenames", "class_info")]
    expected = {f"{name}.txt" for name in tables} | {f"{name}.pickle" for name in pickles}
    assert set(raw.source) == expected
    digest = hashlib.sha256((mini_cub.cub / "images.txt").read_bytes()).hexdigest()
    assert raw.source["images.txt"] == digest


def test_captions_are_cleaned_and_may_end_in_any_way(mini_cub):
    lines = ["one\ufffd\ufffdred\ufffd\ufffdbird", " a bird \r", "", "b"]
    text = "\ufeff" + "\n".join(lines + list("cdefghi"))
    mini_cub.captions(mini_cub.names[0]).write_text(text, encoding="utf-8", newline="")
    captions = cub.read(mini_cub.root).examples[0].captions
    assert captions == ("one red bird", "a bird", *"bcdefghi")


def test_parts_may_lie_where_people_have_them(mini_cub, tmp_path):
    expected = cub.read(mini_cub.root).examples
    root, metadata = mini_cub.root, tmp_path / "metadata"

    shutil.move(root / "text_c10", root / "text")
    assert [example.captions for example in cub.read(root).examples] == [
        example.captions for example in expected
    ]
    metadata.mkdir()
    for name in ("text", "train", "test"):
        shutil.move(root / name, metadata / name)
    assert len(cub.read(root, metadata).examples) == 6
    assert len(cub.read(root / "CUB_200_2011", metadata).examples) == 6
    shutil.move(metadata / "text", root / "CUB_200_2011" / "text")
    assert len(cub.read(root, metadata).examples) == 6
    (metadata / "CUB_200_2011").mkdir()
    for path in root.glob("CUB_200_2011/*.txt"):
        shutil.move(path, metadata / "CUB_200_2011")
    assert len(cub.read(root, metadata).examples) == 6


def test_the_metadata_folders_split_comes_first(mini_cub, tmp_path):
    for split, names in (("train", mini_cub.names[:1]), ("test", mini_cub.names[2:3])):
        (tmp_path / "other" / split).mkdir(parents=True)
        path = tmp_path / "other" / split / "filenames.pickle"
        path.write_bytes(pickle.dumps(names))
    names = [example.name for example in cub.read(mini_cub.root, tmp_path / "other").examples]
    assert names == [mini_cub.names[0], mini_cub.names[2]]


@pytest.mark.parametrize("kind", KINDS)
def test_problems_are_told_by_kind_and_file(mini_cub, kind):
    spoil, message = KINDS[kind]
    spoil(mini_cub)
    with pytest.raises(UserError, match=message):
        cub.read(mini_cub.root)


def test_all_problems_are_told_at_once(mini_cub):
    mini_cub.write_table("bounding_boxes", ["1 2 3 4"] * 5 + ["1 2 0 4"])
    mini_cub.image(mini_cub.names[0]).unlink()
    mini_cub.captions(mini_cub.names[1]).unlink()
    mini_cub.write_captions(mini_cub.names[2], ["red"] * 9)
    with pytest.raises(UserError) as error:
        cub.read(mini_cub.root)
    lines = str(error.value).splitlines()
    assert lines[0] == f"{mini_cub.root}: 4 problems, nothing was written"
    assert [line for line in lines[1:] if not line.startswith(" ")] == [
        "malformed metadata (1):",
        "missing pictures (1):",
        "missing caption files (1):",
        "caption files with the wrong number of captions (1):",
    ]


def test_a_long_list_is_cut(mini_cub):
    mini_cub.write_split("test", [f"009.Owl/Owl_{i}" for i in range(25)], [9] * 25)
    with pytest.raises(UserError, match=r"split \(25\):\n(  .*Owl.*\n){20}  and 5 more$"):
        cub.read(mini_cub.root)


def test_missing_parts_are_named_in_one_line(mini_cub):
    def refused(match):
        with pytest.raises(UserError, match=match) as error:
            cub.read(mini_cub.root)
        assert "\n" not in str(error.value)

    shutil.rmtree(mini_cub.cub / "images")
    refused(r"the pictures \(images\) are in none of ")
    (mini_cub.root / "test" / "filenames.pickle").unlink()
    refused(r"the names of the test pictures \(test/filenames.pickle\) are in none of ")
    (mini_cub.root / "train" / "filenames.pickle").unlink()
    refused("no train/filenames.pickle and test/filenames.pickle in any of .*whole CUB-200-2011")
    (mini_cub.cub / "classes.txt").unlink()
    refused(r"the class names \(classes.txt\) are in none of ")
    with pytest.raises(UserError, match="nowhere: no such folder"):
        cub.read(mini_cub.root / "nowhere")


def test_a_split_that_is_no_list_of_names_is_refused(mini_cub):
    mini_cub.write_split("train", {"a": 1}, [1])
    with pytest.raises(UserError, match="train/filenames.pickle: not a list of picture names"):
        cub.read(mini_cub.root)


def test_the_whole_of_cub_is_split_by_its_published_test_classes(tmp_path):
    """50 of 200 classes are for testing; with 58 or 59 pictures a class."""
    folder = tmp_path / "CUB_200_2011"
    folder.mkdir()
    classes = [i % 200 + 1 for i in range(11_788)]
    rows = {
        "images": [f"{c:03d}.Bird/Bird_{i}.jpg" for i, c in enumerate(classes)],
        "image_class_labels": classes,
        "bounding_boxes": ["1.0 2.0 3.0 4.0"] * len(classes),
        "classes": [f"{c:03d}.Bird" for c in range(1, 201)],
    }
    for name, values in rows.items():
        text = "".join(f"{number} {value}\n" for number, value in enumerate(values, start=1))
        (folder / f"{name}.txt").write_text(text)
    metadata = cub._read_metadata(cub._places(tmp_path, None), Problems())
    own = {split: [e for e in metadata.entries if e.split == split] for split in cub.SPLITS}
    assert len(metadata.entries) == 11_788
    assert {entry.class_id + 1 for entry in own["test"]} == cub.CUB_TEST_CLASSES
    assert len({entry.class_id for entry in own["train"]}) == 150
    assert metadata.notes == ("no filenames.pickle: split by the 50 published test classes of CUB",)
