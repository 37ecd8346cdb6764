import hashlib
import json
import pickle
import shutil
import zipfile

import pytest
from PIL import Image

from data_pipeline.sources import cub
from data_pipeline.sources.places import Places
from data_pipeline.sources.source import Report
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
    "attributes that are a list": (
        lambda mini: mini.captions(mini.names[0]).with_suffix(".json").write_text('["red"]'),
        r"not JSON \(1\):\n  .*/Red_Bird_1.json: expected an object of names .* '\[\"red\"\]'",
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


def read(*arguments):
    """The examples and the report, which has no problems."""
    source, report = cub.read(*arguments), Report()
    examples = list(source.examples(report))
    report.raise_if_any(source.where)
    return examples, report


def examples_of(*arguments):
    return read(*arguments)[0]


def test_examples_of_a_small_data_set(mini_cub):
    attributes = mini_cub.captions(mini_cub.names[4]).with_suffix(".json")
    attributes.write_text('{"wing": "blue"}\n')
    examples, report = read(mini_cub.root)
    assert [example.name for example in examples] == mini_cub.names
    assert [example.split for example in examples] == ["train"] * 4 + ["test"] * 2
    example = examples[4]
    assert example.class_name == "003.Blue_Bird"
    assert example.box == (10.0, 5.0, 20.0, 16.0)
    assert example.captions == tuple(f"a {c} bird" for c in "abcdefghij")
    assert json.loads(example.attributes) == {"wing": "blue"}
    assert examples[0].attributes == ""
    assert Image.open(example.picture).size == (60, 40)
    assert report.classes == ["001.Red_Bird", "002.Green_Bird", "003.Blue_Bird"]
    assert report.notes == []
    tables = ["images", "classes", "image_class_labels", "bounding_boxes"]
    pickles = [f"{split}/{name}" for split in cub.SPLITS for name in ("filenames", "class_info")]
    expected = {f"{name}.txt" for name in tables} | {f"{name}.pickle" for name in pickles}
    assert set(report.hashes) == expected
    digest = hashlib.sha256((mini_cub.cub / "images.txt").read_bytes()).hexdigest()
    assert report.hashes["images.txt"] == digest


def test_captions_are_cleaned_and_may_end_in_any_way(mini_cub):
    lines = ["one\ufffd\ufffdred\ufffd\ufffdbird", " a bird \r", "", "b"]
    text = "\ufeff" + "\n".join(lines + list("cdefghi"))
    mini_cub.captions(mini_cub.names[0]).write_text(text, encoding="utf-8", newline="")
    captions = examples_of(mini_cub.root)[0].captions
    assert captions == ("one red bird", "a bird", *"bcdefghi")


def test_parts_may_lie_where_people_have_them(mini_cub, tmp_path):
    expected = examples_of(mini_cub.root)
    root, metadata = mini_cub.root, tmp_path / "metadata"

    shutil.move(root / "text_c10", root / "text")
    assert [example.captions for example in examples_of(root)] == [
        example.captions for example in expected
    ]
    metadata.mkdir()
    for name in ("text", "train", "test"):
        shutil.move(root / name, metadata / name)
    assert len(examples_of(root, metadata)) == 6
    assert len(examples_of(root / "CUB_200_2011", metadata)) == 6
    shutil.move(metadata / "text", root / "CUB_200_2011" / "text")
    assert len(examples_of(root, metadata)) == 6
    (metadata / "CUB_200_2011").mkdir()
    for path in root.glob("CUB_200_2011/*.txt"):
        shutil.move(path, metadata / "CUB_200_2011")
    assert len(examples_of(root, metadata)) == 6


def test_the_metadata_folders_split_comes_first(mini_cub, tmp_path):
    for split, names in (("train", mini_cub.names[:1]), ("test", mini_cub.names[2:3])):
        (tmp_path / "other" / split).mkdir(parents=True)
        path = tmp_path / "other" / split / "filenames.pickle"
        path.write_bytes(pickle.dumps(names))
    names = [example.name for example in examples_of(mini_cub.root, tmp_path / "other")]
    assert names == [mini_cub.names[0], mini_cub.names[2]]


@pytest.mark.parametrize("kind", KINDS)
def test_problems_are_told_by_kind_and_file(mini_cub, kind):
    spoil, message = KINDS[kind]
    spoil(mini_cub)
    with pytest.raises(UserError, match=message):
        read(mini_cub.root)


def test_all_problems_are_told_at_once(mini_cub):
    mini_cub.write_table("bounding_boxes", ["1 2 3 4"] * 5 + ["1 2 0 4"])
    mini_cub.image(mini_cub.names[0]).unlink()
    mini_cub.captions(mini_cub.names[1]).unlink()
    mini_cub.write_captions(mini_cub.names[2], ["red"] * 9)
    with pytest.raises(UserError) as error:
        read(mini_cub.root)
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
        read(mini_cub.root)


def test_missing_parts_are_named_in_one_line(mini_cub):
    def refused(match):
        with pytest.raises(UserError, match=match) as error:
            read(mini_cub.root)
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
        read(mini_cub.root)


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
    report = Report()
    entries, _ = cub._read_metadata(Places([tmp_path], "CUB_200_2011"), report)
    assert len(entries) == 11_788
    own = {
        split: {int(name[:3]) for _, of, name, _ in entries.values() if of == split}
        for split in cub.SPLITS
    }
    assert own["test"] == cub.CUB_TEST_CLASSES
    assert len(own["train"]) == 150
    assert report.notes == ["no filenames.pickle: split by the 50 published test classes of CUB"]


def packed(folder, target):
    """A zip archive of a folder's files under their paths from its parent."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder.parent))
    shutil.rmtree(folder)


def test_archives_may_stay_unopened(mini_cub):
    """birds.zip holds train/, test/ and text.zip, in which the captions lie."""
    root = mini_cub.root
    expected = examples_of(root)
    birds = root / "birds"
    birds.mkdir()
    shutil.move(root / "text_c10", root / "text")
    packed(root / "text", birds / "text.zip")
    for split in cub.SPLITS:
        shutil.move(root / split, birds / split)
    packed(birds, root / "birds.zip")
    found, report = read(root)
    assert found == expected
    assert "train/class_info.pickle" in report.hashes
    shutil.move(root / "birds.zip", root.parent / "birds.zip")
    assert examples_of(root, root.parent) == expected

    shutil.move(root.parent / "birds.zip", root / "birds.zip")
    pictures = [example.picture.read_bytes() for example in expected]
    packed(root / "CUB_200_2011", root / "CUB_200_2011.zip")
    assert [example.picture for example in examples_of(root)] == pictures
    (root / "CUB_200_2011.zip").write_bytes(b"PK\3\4 cut")
    with pytest.raises(UserError, match=r"CUB_200_2011.zip: damaged or not a zip archive"):
        read(root)


def test_captions_may_be_the_words_of_captions_pickle(mini_cub):
    root = mini_cub.root
    words = dict(enumerate(["<end>", "a", "red", "bird", *"bcdefghij"]))
    train = [[1, 2, 3]] + [[1, 3 + i % 10] for i in range(39)]
    content = [train, [[3]] * 20, words, {word: number for number, word in words.items()}]
    (root / "captions.pickle").write_bytes(pickle.dumps(content, protocol=2))
    assert examples_of(root)[0].captions[0] == "a a bird"  # The files come first.
    shutil.rmtree(root / "text_c10")
    examples, report = read(root)
    assert examples[0].captions[:2] == ("a red bird", "a bird")
    assert examples[1].captions[0] == "a j"
    assert [len(example.captions) for example in examples] == [10] * 6
    assert examples[5].captions == ("bird",) * 10
    assert report.notes == ["no caption files: captions are the words in captions.pickle"]

    for spoilt, message in (
        ([train[:-1], *content[1:]], "39 train captions, expected 10 for each of the 4 pictures"),
        ([[[99]] * 40, *content[1:]], "train caption of 001.Red_Bird/Red_Bird_1 has an unknown"),
        ([train], "not AttnGAN's captions.pickle"),
        (7, "not AttnGAN's captions.pickle"),
    ):
        (root / "captions.pickle").write_bytes(pickle.dumps(spoilt, protocol=2))
        with pytest.raises(UserError, match=f"captions.pickle: {message}"):
            read(root)


def test_paths_do_not_lead_out_of_the_folders(mini_cub):
    outside = mini_cub.root.parent / "secret"
    outside.write_text("a secret\n" * 10)
    mini_cub.captions(mini_cub.names[0]).unlink()
    mini_cub.captions(mini_cub.names[0]).symlink_to(outside)
    mini_cub.image(mini_cub.names[1]).unlink()
    mini_cub.image(mini_cub.names[1]).symlink_to(outside)
    with pytest.raises(UserError) as error:
        read(mini_cub.root)
    assert "paths out of their folder (2):\n" in str(error.value)
    assert "secret" not in str(error.value)
    names = ["../../../secret.jpg", "/etc/passwd.jpg", *(f"{n}.jpg" for n in mini_cub.names[2:])]
    mini_cub.write_table("images", names)
    mini_cub.write_split(
        "train", ["../../../secret", "/etc/passwd", *mini_cub.names[2:4]], [1, 1, 2, 2]
    )
    with pytest.raises(UserError, match=r"paths out of their folder \(4\):"):
        read(mini_cub.root)
