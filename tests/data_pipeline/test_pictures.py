import io

import numpy as np
import pytest
from PIL import Image

from data_pipeline.pictures import convert, crop_region, stored_jpeg, to_rgb, visible_share

BOX = (10.0, 5.0, 20.0, 16.0)


@pytest.mark.parametrize(
    ("box", "size", "region"),
    [
        # r = int(20 * 0.75) = 15 about (20, 13), above the picture's top edge.
        ((10, 5, 20, 16), (60, 40), (5, 0, 35, 28)),
        # r = int(325 * 0.75) = 243 about (222, 179): CUB's first picture, 500 x 335.
        ((60, 27, 325, 304), (500, 335), (0, 0, 465, 335)),
        # r = int(3 * 0.75) = 2 about (int(6.5), int(5.5)).
        ((5, 5, 3, 1), (20, 20), (4, 3, 8, 7)),
        ((5, 5, 1, 1), (20, 20), (4, 4, 6, 6)),
    ],
)
def test_crop_region(box, size, region):
    assert crop_region(box, *size) == region


@pytest.mark.parametrize(
    ("box", "share"),
    [
        ((0, 0, 60, 40), 1),
        ((-10, 0, 20, 40), 0.5),
        ((50, 30, 20, 20), 0.25),
        ((60, 0, 5, 5), 0),
        ((1e308, 1e308, 1e308, 1e308), 0),
        ((0, 0, 1e-300, 1e-300), 1),
    ],
)
def test_visible_share(box, share):
    assert visible_share(box, 60, 40) == share


def test_the_crops_smaller_side_gets_the_stored_size():
    """The crop of 30 x 28 becomes round(30 * 19 / 28) x 19."""
    image = Image.new("RGB", (60, 40), (200, 10, 20))
    image.paste((0, 0, 255), (35, 0, 60, 40))
    stored = Image.open(io.BytesIO(stored_jpeg(image, BOX, 19)))
    assert stored.format == "JPEG"
    assert stored.size == (20, 19)
    assert stored.mode == "RGB"
    np.testing.assert_allclose(np.asarray(stored)[:, :18], [[[200, 10, 20]] * 18] * 19, atol=3)


def test_downscaling_is_antialiased():
    """Single-pixel stripes of black and white become grey, not stripes of another width."""
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    image = Image.fromarray(stripes)
    stored = Image.open(io.BytesIO(stored_jpeg(image, (0, 0, 64, 64), 16)))
    np.testing.assert_allclose(np.asarray(stored)[2:-2, 2:-2], 127.5, atol=4)


def test_every_kind_of_picture_becomes_rgb():
    grey = Image.new("L", (4, 4), 100)
    cmyk = Image.new("CMYK", (4, 4), (0, 255, 255, 0))
    palette = Image.new("RGB", (4, 4), (10, 200, 30)).quantize(2)
    clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    clear_palette = Image.new("P", (4, 4), 0)
    clear_palette.info["transparency"] = 0
    expected = [(100, 100, 100), (255, 0, 0), (10, 200, 30), (255, 255, 255), (255, 255, 255)]
    for image, colour in zip((grey, cmyk, palette, clear, clear_palette), expected, strict=True):
        rgb = to_rgb(image)
        assert rgb.mode == "RGB"
        assert rgb.getpixel((1, 1)) == colour


@pytest.mark.parametrize("spoil", [lambda data: data[:-200], lambda data: b"<html>", lambda _: b""])
def test_damaged_files_are_told(tmp_path, spoil):
    path = tmp_path / "a.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(spoil(path.read_bytes()))
    jpeg, kind, reason = convert((path, BOX, 16))
    assert jpeg is None
    assert kind == "unreadable pictures"
    assert reason.startswith("truncated or not an image")


def test_a_box_outside_its_picture_is_told_and_one_over_the_edge_is_clipped(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (60, 40)).save(path)
    jpeg, kind, reason = convert((path, (50.0, 30.0, 40.0, 40.0), 16))
    assert jpeg is None
    assert kind == "boxes outside their pictures"
    assert reason == (
        "box x=50 y=30 width=40 height=40 is mostly outside the picture of 60 x 40 pixels"
    )
    jpeg, kind, reason = convert((path, (40.0, 10.0, 25.0, 20.0), 16))
    assert jpeg.startswith(b"\xff\xd8") and (kind, reason) == ("", "")
