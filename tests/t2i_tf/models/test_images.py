import numpy as np
import pytest
from PIL import Image

from t2i_tf.models import images


def test_grid_places_every_picture(rng):
    pictures = rng.integers(0, 255, size=(2, 3, 4, 5, 3), dtype=np.uint8)
    sheet = images.grid(pictures, pad=2)
    assert sheet.shape == (2 * 6 + 2, 3 * 7 + 2, 3)
    for row in range(2):
        for column in range(3):
            y, x = 2 + 6 * row, 2 + 7 * column
            np.testing.assert_array_equal(sheet[y : y + 4, x : x + 5], pictures[row, column])
    assert (sheet[:2] == 255).all() and (sheet[:, -2:] == 255).all()


def test_overlay_is_brightest_where_the_attention_is():
    image = np.full((32, 32, 3), 100, np.uint8)
    attention = np.zeros((8, 8))
    attention[1, 6] = 0.01  # small: each map is scaled to its own maximum
    overlay = images.attention_overlay(image, attention)
    y, x = np.unravel_index(overlay[:, :, 0].argmax(), (32, 32))
    assert abs(y - 5.5) <= 1 and abs(x - 25.5) <= 1
    assert overlay[y, x, 0] >= 140
    np.testing.assert_array_equal(overlay[-4:, :4], 30)


def test_overlay_without_attention_is_dark():
    overlay = images.attention_overlay(np.full((4, 4, 3), 100, np.uint8), np.zeros((2, 2)))
    np.testing.assert_array_equal(overlay, 30)


def test_strip_has_a_tile_for_the_picture_and_each_word(rng):
    image = rng.integers(0, 255, size=(64, 64, 3), dtype=np.uint8)
    attention = rng.random((16, 16, 6))
    words = ["a", "red", "extraordinarily-long-word-of-a-bird"]
    strip = images.attention_strip(image, attention, words)
    assert strip.size == (4 * 132 + 4, 128 + 24 + 2 * 4)
    wrapped = images.attention_strip(image, attention, words, columns=2)
    assert wrapped.size == (2 * 132 + 4, 2 * (128 + 24 + 4) + 4)
    below = np.asarray(strip)[4 + 128 :]
    assert (below[:, :132] == 255).all(), "the picture has no word"
    for tile in range(1, 4):
        ink = (below[:, 132 * tile + 4 : 132 * (tile + 1)] < 128).any(axis=(0, 2))
        assert ink.any() and (below[:, 132 * tile : 132 * tile + 4] == 255).all()


def test_stack_lays_pictures_below_each_other():
    wide, narrow = np.zeros((2, 5, 3), np.uint8), np.full((3, 4, 3), 7, np.uint8)
    sheet = images.stack([wide, narrow], pad=1)
    assert sheet.shape == (2 + 1 + 3, 5, 3)
    np.testing.assert_array_equal(sheet[:2], wide)
    np.testing.assert_array_equal(sheet[3:, :4], narrow)
    assert (sheet[2] == 255).all() and (sheet[3:, 4] == 255).all()


@pytest.mark.parametrize("kind", [np.asarray, Image.fromarray])
def test_png_keeps_pixels_and_description(kind, rng, tmp_path):
    pixels = rng.integers(0, 255, size=(5, 6, 3), dtype=np.uint8)
    images.save_png(tmp_path / "a.png", kind(pixels), "ein grüner Vogel")
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
        assert image.text["Description"] == "ein grüner Vogel"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
