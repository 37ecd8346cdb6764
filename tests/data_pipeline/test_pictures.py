import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from data_pipeline.pictures import (
    convert,
    crop_region,
    stored_jpeg,
    to_rgb,
    upright,
    visible_share,
)
from data_pipeline.support.parts import FilePart

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


def stored(path):
    jpeg, kind, reason = convert((path, None, 16))
    assert (kind, reason) == ("", "")
    return np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)


def test_without_a_box_the_whole_picture_is_stored(tmp_path):
    Image.new("RGB", (60, 40), (9, 80, 200)).save(tmp_path / "a.png")
    assert stored(tmp_path / "a.png").shape == (16, 24, 3)
    assert convert((tmp_path / "a.png", None, None)) == (b"", "", "")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotated_pictures_are_stored_upright(tmp_path, orientation):
    """A picture that is turned as its EXIF data says is stored like the upright one."""
    right = Image.new("RGB", (48, 32), "black")
    right.paste((255, 0, 0), (0, 0, 24, 16))
    right.paste((0, 0, 255), (0, 16, 24, 32))
    turns = Image.Transpose
    turned = {
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_90,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_270,
    }
    image = right.transpose(turned[orientation]) if orientation in turned else right
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    image.save(tmp_path / "a.jpg", exif=exif, quality=95, subsampling=0)
    right.save(tmp_path / "right.png")
    expected = stored(tmp_path / "right.png")
    np.testing.assert_allclose(stored(tmp_path / "a.png"), expected, atol=2)
    np.testing.assert_allclose(stored(tmp_path / "a.jpg"), expected, atol=40)
    jpeg, _, _ = convert((tmp_path / "a.png", (0.0, 0.0, 8.0, 8.0), 16))  # Upright pixels.
    pixels = np.asarray(Image.open(io.BytesIO(jpeg)))
    np.testing.assert_allclose(pixels.mean((0, 1)), [255, 0, 0], atol=3)


def test_damaged_exif_data_does_not_matter():
    image = Image.new("RGB", (4, 4))
    image.info["exif"] = b"Exif\0\0damaged"
    assert upright(image).size == (4, 4)


def test_every_colour_mode_keeps_its_colours(tmp_path):
    """Each file shows a light reddish brown, or a grey of the same level."""
    colour, grey = (200, 120, 40), 120
    rgb = Image.new("RGB", (16, 16), colour)
    levels = np.full((16, 16), grey * 257, np.uint16)
    files = {
        "rgb.webp": (rgb, colour),
        "rgb.bmp": (rgb, colour),
        "rgb.tiff": (rgb, colour),
        "cmyk.jpg": (rgb.convert("CMYK"), colour),
        "cmyk.tif": (rgb.convert("CMYK"), colour),
        "grey.png": (rgb.convert("L").point(lambda level: grey), (grey,) * 3),
        "grey16.png": (Image.fromarray(levels), (grey,) * 3),
        "grey16.tif": (Image.fromarray(levels), (grey,) * 3),
        "grey_alpha.png": (Image.new("LA", (16, 16), (grey, 255)), (grey,) * 3),
        "one_bit.png": (Image.new("1", (16, 16), 1), (255,) * 3),
        "palette.gif": (rgb.quantize(4), colour),
        "half_clear.png": (Image.new("RGBA", (16, 16), (0, 0, 0, 127)), (128,) * 3),
    }
    for name, (image, expected) in files.items():
        image.save(tmp_path / name)
        pixel = stored(tmp_path / name).mean((0, 1))
        np.testing.assert_allclose(pixel, expected, atol=4, err_msg=name)
    clear = rgb.quantize(4)
    clear.save(tmp_path / "clear.png", transparency=bytes([0] * 4))
    np.testing.assert_allclose(stored(tmp_path / "clear.png").mean((0, 1)), 255, atol=2)
    key = Image.fromarray(levels)
    key.save(tmp_path / "key.png", transparency=7)
    np.testing.assert_allclose(stored(tmp_path / "key.png").mean((0, 1)), grey, atol=2)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_the_first_frame_of_an_animation_is_stored(tmp_path, suffix):
    first, *others = (Image.new("RGB", (16, 16), c) for c in ("red", "blue", "white"))
    path = tmp_path / f"a.{suffix}"
    first.save(path, save_all=True, append_images=others)
    np.testing.assert_allclose(stored(path).mean((0, 1)), [255, 0, 0], atol=4)


def claim(width, height):
    """Writes a PNG file of a few bytes whose header claims this size."""

    def write(path):
        Image.new("L", (9, 9)).save(path)
        data = path.read_bytes()
        header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
        path.write_bytes(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])

    return write


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (claim(20_000, 20_000), "more than 89 million pixels; make it smaller"),
        (claim(10_000, 10_000), "10000 x 10000 pixels, more than 89 million"),
        (lambda path: Image.new("RGB", (1, 1)).save(path), "1 x 1 pixels: it has a side of less"),
        (lambda path: Image.new("RGB", (400, 20)).save(path), "one side is more than 16 times"),
    ],
)
def test_unfit_sizes_are_refused(tmp_path, make, message):
    make(tmp_path / "a.png")
    jpeg, kind, reason = convert((tmp_path / "a.png", None, 16))
    assert jpeg is None and kind == "pictures of unfit sizes"
    assert message in reason


def test_levels_of_unknown_range_are_refused(tmp_path):
    for number, mode in enumerate(("I", "F")):
        path = tmp_path / f"{number}.tif"
        Image.new(mode, (16, 16)).save(path)
        assert convert((path, None, 16))[2].endswith("32-bit levels; save it with 8 or 16 bits)")


def test_a_missing_or_empty_file_is_told(tmp_path):
    assert "No such file" in convert((tmp_path / "a.jpg", None, 16))[2]
    (tmp_path / "a.jpg").touch()
    assert convert((tmp_path / "a.jpg", None, 16))[2] == "truncated or not an image (0 bytes)"


def test_a_part_of_a_file_is_read_in_place(tmp_path):
    file = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(file, "PNG")
    data = file.getvalue()
    (tmp_path / "x.tar").write_bytes(b"before" + data + b"after")
    part = FilePart(tmp_path / "x.tar", 6, len(data), "x.tar:a.png")
    np.testing.assert_allclose(stored(part).mean((0, 1)), [255, 0, 0], atol=3)
    part = FilePart(tmp_path / "x.tar", 6, 10_000, "x.tar:a.png")
    assert convert((part, None, 16))[2] == (
        f"truncated or not an image ({tmp_path}/x.tar is cut short)"
    )
