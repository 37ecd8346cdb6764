import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipeline import builder
from data_pipeline.dataset import Split
from data_pipeline.sources import cub
from data_pipeline.sources import folder as folder_source
from data_pipeline.support.errors import UserError
from data_pipeline.text.vocabulary import Vocabulary
from data_pipeline.tfrecord import parse, shard_paths
from tests.data_pipeline.sources.layouts import draw


def build(mini, folder, **options):
    options = {"dataset": "mini", "image_size": 16, "num_shards": 2, **options}
    return builder.build(cub.read(mini.root, None, mini.captions_per_image), folder, **options)


def records(folder, split):
    paths = [str(path) for path in shard_paths(folder, "mini", split)]
    return [parse(record) for record in tf.data.TFRecordDataset(paths)]


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_nothing_written(folder):
    assert not [path for path in folder.parent.iterdir() if folder.name in path.name]


def test_a_built_data_set_holds_what_was_read(mini_cub, tmp_path):
    info, warnings = build(mini_cub, tmp_path / "built")
    assert warnings == []
    assert sorted(files(tmp_path / "built")) == [
        "dataset_info.json",
        "mini-test.index-00000-of-00001",
        "mini-test.tfrecord-00000-of-00001",
        "mini-train.index-00000-of-00002",
        "mini-train.index-00001-of-00002",
        "mini-train.tfrecord-00000-of-00002",
        "mini-train.tfrecord-00001-of-00002",
        "vocabulary.txt",
    ]
    assert (info.stored_size, info.captions_per_image, info.max_words) == (19, 10, 3)
    assert info.splits == {
        "train": {"images": 4, "classes": 2, "shards": 2},
        "test": {"images": 2, "classes": 1, "shards": 1},
    }
    vocabulary = Vocabulary.load(tmp_path / "built" / "vocabulary.txt")
    # "a" opens every caption and is the letter of one in ten: 66 times; "bird" 60 times.
    assert vocabulary.words == ("<end>", "a", "bird", *"bcdefghij")

    parsed = {
        record["name"].numpy().decode(): record for record in records(tmp_path / "built", "test")
    }
    assert sorted(parsed) == mini_cub.names[4:]
    record = parsed[mini_cub.names[4]]
    assert record["class_id"].numpy() == 2
    assert record["captions"].numpy().tolist() == [f"a {c} bird".encode() for c in "abcdefghij"]
    assert record["token_counts"].numpy().tolist() == [3] * 10
    assert record["token_ids"].numpy()[:6].tolist() == [1, 1, 2, 1, 3, 2]
    image = Image.open(io.BytesIO(record["image"].numpy()))
    assert image.size == (20, 19)
    np.testing.assert_allclose(np.asarray(image).mean((0, 1)), [0, 0, 200], atol=3)


def test_training_reads_what_was_built(mini_cub, tmp_path):
    build(mini_cub, tmp_path / "built")
    split = Split(tmp_path / "built", "train")
    (batch,) = split.train_batches(batch_size=4, image_sizes=(8, 16), max_words=5, seed=0).take(1)
    assert batch["images"][1].shape == (4, 16, 16, 3)
    # Red is class 0, green class 1: the strongest channel tells.
    strongest = tf.argmax(tf.reduce_mean(batch["images"][1], (1, 2)), -1)
    assert strongest.numpy().tolist() == batch["class_id"].numpy().tolist()


def test_the_bytes_depend_on_the_seed_and_not_on_the_workers(mini_cub, tmp_path):
    for name, options in {"a": {}, "b": {"workers": 2}, "c": {"seed": 1}}.items():
        build(mini_cub, tmp_path / name, **options)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert files(tmp_path / "a") != files(tmp_path / "c")
    names = {
        name: [record["name"].numpy() for record in records(tmp_path / name, "train")]
        for name in "ac"
    }
    assert names["a"] != names["c"]
    assert sorted(names["a"]) == sorted(names["c"])


def test_shards_never_outnumber_the_pictures(mini_cub, tmp_path):
    info, _ = build(mini_cub, tmp_path / "built", num_shards=64)
    assert [info.splits[split]["shards"] for split in ("train", "test")] == [4, 2]


def test_words_outside_a_given_vocabulary_are_left_out_with_a_warning(mini_cub, tmp_path):
    mini_cub.write_captions(mini_cub.names[0], ["an owl"] * 3 + ["a bird"] * 7)
    vocabulary = Vocabulary(["<end>", "a", "bird", *"bcdefghij"])
    info, warnings = build(mini_cub, tmp_path / "built", vocabulary=vocabulary)
    assert warnings == [
        "6 words were left out: 2 different ones are not in the vocabulary (an, owl)",
        "3 captions were left out: none of their words is known",
    ]
    by_name = {r["name"].numpy().decode(): r for r in records(tmp_path / "built", "train")}
    record = by_name[mini_cub.names[0]]
    assert record["captions"].numpy().tolist() == [b"a bird"] * 7
    assert record["token_counts"].numpy().tolist() == [2] * 7
    assert info.vocabulary["size"] == 12


def test_a_picture_left_without_captions_is_refused(mini_cub, tmp_path):
    vocabulary = Vocabulary(["<end>", "bird"])
    mini_cub.write_captions(mini_cub.names[0], ["an owl"] * 10)
    with pytest.raises(UserError, match=r"without captions \(1\):\n  001.Red_Bird/Red_Bird_1: no"):
        build(mini_cub, tmp_path / "built", vocabulary=vocabulary)
    assert_nothing_written(tmp_path / "built")


@pytest.mark.parametrize("workers", [1, 2])
def test_pictures_that_cannot_be_stored_are_all_told_and_nothing_is_left(
    mini_cub, tmp_path, workers
):
    for name in mini_cub.names[:2]:
        path = mini_cub.image(name)
        path.write_bytes(path.read_bytes()[:-60])
    mini_cub.write_table("bounding_boxes", ["10 5 20 16"] * 5 + ["70 5 20 16"])
    with pytest.raises(UserError) as error:
        build(mini_cub, tmp_path / "built", workers=workers)
    message = str(error.value)
    assert message.startswith(f"{mini_cub.root}: 3 problems, nothing was written\n")
    assert "unreadable pictures (2):\n" in message
    assert "Red_Bird_1.jpg: truncated or not an image" in message
    assert "Red_Bird_2.jpg: truncated or not an image" in message
    assert "boxes outside their pictures (1):\n" in message
    assert "Blue_Bird_2.jpg: box x=70 y=5 width=20 height=16 is mostly outside" in message
    assert_nothing_written(tmp_path / "built")


def test_an_interrupted_build_leaves_nothing(mini_cub, tmp_path):
    def interrupt(pictures):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(mini_cub, tmp_path / "built", progress=interrupt)
    assert_nothing_written(tmp_path / "built")


def test_a_full_disk_is_told_and_nothing_is_left(mini_cub, tmp_path, monkeypatch):
    def full(writer, record):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.io.TFRecordWriter, "write", full)
    with pytest.raises(UserError, match=r"cannot write .*built: No space left on device"):
        build(mini_cub, tmp_path / "built")
    assert_nothing_written(tmp_path / "built")


def test_a_mount_point_is_refused_before_any_work(monkeypatch, mini_cub, tmp_path):
    (tmp_path / "volume").mkdir()
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path).name == "volume")
    with pytest.raises(UserError, match="volume is a mount point; name a folder in it"):
        build(mini_cub, tmp_path / "volume")


def test_output_may_be_an_empty_folder_and_nothing_else(mini_cub, tmp_path):
    folder = tmp_path / "built"
    folder.mkdir()
    build(mini_cub, folder)
    before = files(folder)
    with pytest.raises(
        UserError,
        match=r"already holds the data set 'mini' \(4 train, 2 test pictures, 19 px\); remove it",
    ):
        build(mini_cub, folder)
    assert files(folder) == before
    (folder / "vocabulary.txt").write_text("<end>\n")
    with pytest.raises(UserError, match="already holds a data set; remove it"):
        build(mini_cub, folder)

    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").touch()
    with pytest.raises(UserError, match=r"other is not empty \(it holds thesis.txt\)"):
        build(mini_cub, other)
    with pytest.raises(UserError, match="thesis.txt is a file; name a folder"):
        build(mini_cub, other / "thesis.txt")
    with pytest.raises(UserError, match="cannot write beside .*: Not a directory"):
        build(mini_cub, other / "thesis.txt" / "built")


def test_captions_of_another_number(tmp_path, mini_cub):
    mini_cub.captions_per_image = 5
    for name in mini_cub.names:
        mini_cub.write_captions(name, ["a bird"] * 5)
    info, _ = build(mini_cub, tmp_path / "built")
    content = json.loads((tmp_path / "built" / "dataset_info.json").read_text())
    assert info.captions_per_image == content["captions_per_image"] == 5
    assert content["classes"] == ["001.Red_Bird", "002.Green_Bird", "003.Blue_Bird"]


def spoil(mini):
    """One bad picture or caption file of each of four kinds."""
    mini.image(mini.names[0]).write_bytes(b"")
    mini.captions(mini.names[1]).write_bytes(b"caf\xe9\n" * 10)
    mini.image(mini.names[2]).unlink()
    mini.write_captions(mini.names[4], ["a bird"] * 9 + ["..."])


def test_bad_pictures_and_captions_are_refused_all_at_once(mini_cub, tmp_path):
    spoil(mini_cub)
    total = []
    with pytest.raises(UserError) as error:
        build(mini_cub, tmp_path / "built", started=total.append)
    message = str(error.value)
    assert message.startswith(f"{mini_cub.root}: 5 problems, nothing was written\n")
    for kind in (
        "caption files that are not UTF-8 (1)",
        "missing pictures (1)",
        "captions without a word (1)",
        "caption files with the wrong number of captions (1)",
        "unreadable pictures (1)",
    ):
        assert kind in message
    assert total == [3]  # The pictures that are looked at.
    assert_nothing_written(tmp_path / "built")


@pytest.mark.parametrize("workers", [1, 2])
def test_bad_ones_are_left_out_and_counted(mini_cub, tmp_path, workers):
    spoil(mini_cub)
    info, warnings = build(mini_cub, tmp_path / "built", skip_bad=True, workers=workers)
    assert info.skipped == {
        "missing pictures": 1,
        "caption files that are not UTF-8": 1,
        "captions without a word": 1,
        "caption files with the wrong number of captions": 1,
        "unreadable pictures": 1,
    }
    assert warnings[0].startswith("bad pictures and captions left out: 5\n")
    # Two pictures of the train split are left to convert, one is bad: its shard is not there.
    assert info.splits == {
        "train": {"images": 1, "classes": 1, "shards": 1},
        "test": {"images": 1, "classes": 1, "shards": 1},
    }
    content = json.loads((tmp_path / "built" / "dataset_info.json").read_text())
    assert content["skipped"] == info.skipped
    for split, name in (("train", mini_cub.names[3]), ("test", mini_cub.names[5])):
        (example,) = Split(tmp_path / "built", split).examples()
        assert example["name"].decode() == name
    assert not [name for name in files(tmp_path / "built") if name[:5] in ("train", "test-")]


def test_a_split_of_bad_pictures_only_is_refused(mini_cub, tmp_path):
    for name in mini_cub.names[4:]:
        mini_cub.image(name).write_bytes(b"")
    with pytest.raises(UserError, match="no picture is left of one of its splits\n.*unreadable"):
        build(mini_cub, tmp_path / "built", skip_bad=True)
    assert_nothing_written(tmp_path / "built")


def test_what_spoils_everything_is_not_left_out(mini_cub, tmp_path):
    mini_cub.write_split("test", [], [])
    with pytest.raises(UserError, match="empty splits"):
        build(mini_cub, tmp_path / "built", skip_bad=True)


def test_a_data_set_without_bad_ones_has_no_new_fields(mini_cub, tmp_path):
    """Programs that know no other fields than these still read it."""
    build(mini_cub, tmp_path / "built")
    assert list(json.loads((tmp_path / "built" / "dataset_info.json").read_text())) == [
        *("dataset", "stored_size", "captions_per_image", "max_words", "vocabulary", "splits"),
        *("classes", "source", "format_version"),
    ]


def test_output_in_the_raw_data_is_refused(mini_cub):
    with pytest.raises(UserError, match=r"birds/built lies in the raw data, .*birds; name another"):
        build(mini_cub, mini_cub.root / "built")
    assert not (mini_cub.root / "built").exists()


@pytest.mark.parametrize("bad", range(4))
def test_some_picture_is_held_out_whichever_is_bad(tmp_path, bad):
    raw = tmp_path / "raw"
    for i in range(4):
        draw(raw / f"{i}.jpg")
        (raw / f"{i}.txt").write_text("a card\n")
    (raw / f"{bad}.jpg").write_bytes(b"")
    source = folder_source.read(raw)
    info, _ = builder.build(
        source, tmp_path / "built", dataset="own", image_size=16, validation=0.05, skip_bad=True
    )
    assert {name: split["images"] for name, split in info.splits.items()} == {"train": 2, "test": 1}
