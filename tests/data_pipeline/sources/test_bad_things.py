"""One bad thing of each kind among good ones: GOOD_PICTURES=10000 tries it at length."""

import io
import json
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipeline import builder
from data_pipeline.dataset import Split
from data_pipeline.sources import folder, table
from data_pipeline.support.errors import UserError
from tests.data_pipeline.sources.layouts import jpeg

GOOD = int(os.environ.get("GOOD_PICTURES", 20))
RED, GREEN = (255, 0, 0), (0, 255, 0)


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def half(mode="RGB", size=(40, 30)):
    """Red, the left half green."""
    image = Image.new("RGB", size, RED)
    image.paste(GREEN, (0, 0, size[0] // 2, size[1]))
    return image.convert(mode)


def rotated():
    exif = Image.Exif()
    exif[0x0112] = 3  # Upside down.
    return encoded(half().transpose(Image.Transpose.ROTATE_180), "JPEG", quality=95, exif=exif)


def see_through():
    image = half("RGBA")
    image.putalpha(255)
    return encoded(image.quantize(8), transparency=0)


def bomb():
    return encoded(Image.new("1", (20_000, 20_000)))


# File, its bytes, and the colours of its left and right half as it must be stored.
STORED = {
    "cmyk.jpg": (encoded(half("CMYK"), "JPEG", quality=95), GREEN, RED),
    "deep.png": (
        encoded(Image.fromarray(np.full((30, 40), 40_000, np.uint16))),
        *[(156, 156, 156)] * 2,
    ),
    "grey.png": (encoded(half("L")), (150, 150, 150), (76, 76, 76)),
    "palette.png": (see_through(), None, None),
    "animated.gif": (
        encoded(half(), "GIF", save_all=True, append_images=[Image.new("RGB", (40, 30))]),
        *(GREEN, RED),
    ),
    "rotated.jpg": (rotated(), GREEN, RED),
}
# File, its bytes, and why it is refused.
REFUSED = {
    "truncated.jpg": (jpeg("red")[:-200], "truncated or not an image"),
    "zero.jpg": (b"", "(0 bytes)"),
    "text.jpg": (b"not a picture", "truncated or not an image"),
    "one.png": (encoded(Image.new("RGB", (1, 1))), "a side of less than 8"),
    "bomb.png": (bomb(), "million pixels"),
}
# Caption file, its bytes, and why it is refused.
SILENT = {
    "empty": (b"", "the file holds no caption"),
    "blank": (b" \t \n", "no caption"),
    "latin1": (b"caf\xe9 card\n", "byte 0xe9 in line 1"),
    "dots": (b"... !?\n", "'... !?'"),
    "endless": (b"a" * 100_000, "a word of more than 1000 letters"),
}
SPOKEN = {
    "long": ("red card " * 250).encode(),
    "hebrew": "red כרטיס אדום\n".encode(),
}


@pytest.fixture
def raw(tmp_path):
    """Good pictures with one bad thing of each kind among them."""
    root = tmp_path / "raw"
    root.mkdir()

    def add(name, data, caption=b"a card\n"):
        (root / name).write_bytes(data)
        (root / name).with_suffix(".txt").write_bytes(caption)

    for number in range(GOOD):
        add(f"{number:05d}.jpg", jpeg("red"))
    for name, (data, *_) in {**STORED, **REFUSED}.items():
        add(name, data)
    for name, (caption, _) in SILENT.items():
        add(f"{name}.jpg", jpeg("red"), caption)
    for name, caption in SPOKEN.items():
        add(f"{name}.jpg", jpeg("red"), caption)
    (root / "missing.txt").write_text("a card without its picture\n")
    add("upper.jpg", jpeg("red"))
    add("UPPER.jpg", jpeg("red"))
    (tmp_path / "outside.jpg").write_bytes(jpeg("red"))
    (root / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (root / "link.txt").write_text("a card\n")
    return root


BAD = len(REFUSED) + len(SILENT) + 3  # The missing one, the name twice, and the link.


def build(source, output, **options):
    return builder.build(source, output, dataset="own", image_size=16, **options)


def test_all_bad_pictures_and_captions_are_told_at_once(raw, tmp_path):
    with pytest.raises(UserError) as error:
        build(folder.read(raw), tmp_path / "built")
    message = str(error.value)
    for name, (_, reason) in {**REFUSED, **SILENT}.items():
        stem = name.partition(".")[0]
        (line,) = (line for line in message.splitlines() if f"/{stem}." in line)
        assert reason in line
    for stem in ("missing", "upper", "link"):
        assert f"{stem}." in message or f"/{stem}" in message, stem
    assert f"{BAD} problems, nothing was written" in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside.jpg", "raw"]


def test_bad_ones_are_left_out_and_the_rest_is_stored_rightly(raw, tmp_path):
    info, _ = build(folder.read(raw), tmp_path / "built", skip_bad=True)
    assert sum(info.skipped.values()) == BAD
    records = {
        record["name"].decode(): record
        for split in info.splits
        for record in Split(tmp_path / "built", split).examples()
    }
    assert len(records) == GOOD + len(STORED) + len(SPOKEN) + 1
    for name, (_, left, right) in STORED.items():
        picture = tf.io.decode_jpeg(records[name.partition(".")[0]]["image"]).numpy().astype(int)
        for colour, pixel in ((left, picture[9, 3]), (right, picture[9, -4])):
            if colour is not None:
                assert np.abs(pixel - colour).max() <= 12, name
    assert records["long"]["token_counts"].tolist() == [500]
    assert b"red" in records["hebrew"]["captions"][0]


def test_bad_rows_among_good_ones(tmp_path):
    (tmp_path / "raw").mkdir()
    for number in range(GOOD):
        (tmp_path / "raw" / f"{number}.jpg").write_bytes(jpeg("red"))
    (tmp_path / "secret.jpg").write_bytes(jpeg("red"))
    rows = [{"file_name": f"{number}.jpg", "text": "a card"} for number in range(GOOD)]
    bad = [
        rows[0],  # Doubled.
        {"file_name": "1.jpg"},
        {"file_name": "../secret.jpg", "text": "a card"},
        {"file_name": str(tmp_path / "secret.jpg"), "text": "a card"},
        {"file_name": "none.jpg", "text": "a card"},
    ]
    lines = [json.dumps(row) for row in rows + bad]
    (tmp_path / "raw" / "own.jsonl").write_text("\n".join(lines) + '\n{"file_name": "2.j')
    with pytest.raises(UserError, match=f"{len(bad) + 1} problems, nothing was written"):
        build(table.read(tmp_path / "raw"), tmp_path / "built")
    info, _ = build(table.read(tmp_path / "raw"), tmp_path / "built", skip_bad=True)
    assert sum(info.skipped.values()) == len(bad) + 1
    assert sum(split["images"] for split in info.splits.values()) == GOOD
