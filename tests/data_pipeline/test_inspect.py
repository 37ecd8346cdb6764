import io
import re

import numpy as np
import pytest
from PIL import Image

from data_pipeline.inspect import duplicates
from tests.commands import refused, run


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "birds"
    run(
        "data_pipeline.build_tfrecords",
        "--source=synthetic",
        f"--output_dir={folder}",
        "--image_size=32",
        "--num_train=20",
        "--num_test=8",
        "--picture_size=64",
    )
    return folder


def test_the_page_needs_no_other_file(birds, tmp_path):
    printed = run(
        "data_pipeline.inspect", f"--data_dir={birds}", f"--output={tmp_path}/a.html", "--verify"
    )
    assert printed.strip().endswith("20 train, 8 test pictures")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "every checksum compared" in text
    assert '<td>captions</td><td class="n">200</td><td class="n">80</td>' in text
    assert '<td>unknown words</td><td class="n">0.00%</td>' in text
    assert text.count("<img ") >= 28
    assert not re.search(r"(src|href)=\"(?!data:)", text) and "<script" not in text


@pytest.mark.parametrize("place", [0.3, 0.9])
def test_a_flipped_bit_is_found(birds, tmp_path, place):
    shard = min(birds.glob("*-test.tfrecord-*"))
    whole = shard.read_bytes()
    damaged = bytearray(whole)
    damaged[int(place * len(whole))] ^= 1
    shard.write_bytes(damaged)
    try:
        arguments = [f"--data_dir={birds}", f"--output={tmp_path}/a.html", "--verify"]
        line = refused("data_pipeline.inspect", *arguments)
    finally:
        shard.write_bytes(whole)
    assert re.search(rf"error: \S*{shard.name} is damaged", line)
    assert not list(tmp_path.iterdir())


def test_repeated_pictures_are_shown(tmp_path, rng):
    for name in ("train/a", "train/b", "test/c"):
        path = tmp_path / "pictures" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        levels = rng.integers(0, 256, (8, 8, 3), np.uint8)
        if name != "test/c":
            copied = Image.fromarray(levels).resize((64, 64))
        copied.save(path)
        path.with_suffix(".txt").write_text("a picture\n")
    folders = [f"--input_dir={tmp_path}/pictures", f"--output_dir={tmp_path}/data"]
    run("data_pipeline.build_tfrecords", "--source=folder", *folders, "--image_size=32")
    run("data_pipeline.inspect", f"--data_dir={tmp_path}/data", f"--output={tmp_path}/a.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "1 pictures are there more than once (1 of them in two splits)" in text
    assert re.search(r"<figcaption>equal<br>train: \S*b<br>test: \S*c</figcaption>", text)


def test_copies_are_found_and_others_are_not(rng):
    def picture():
        return Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((96, 96))

    def recompressed(image):
        file = io.BytesIO()
        image.resize((120, 120)).save(file, "JPEG", quality=60)
        return Image.open(file)

    pictures = [picture() for _ in range(40)]
    pictures += [recompressed(pictures[3]), recompressed(pictures[17])]
    pairs = duplicates.near([duplicates.fingerprint(image) for image in pictures])
    assert {pair[:2] for pair in pairs} == {(3, 40), (17, 41)}


def test_equal_contents_are_grouped():
    contents = [duplicates.content_hash(data) for data in (b"a", b"b", b"a", b"c", b"a")]
    assert duplicates.exact(contents) == [[0, 2, 4]]


def test_many_even_pictures_are_no_pairs():
    prints = [bytes(32)] * 300
    assert duplicates.near(prints) == []
