import dataclasses

import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from data_pipeline.support.errors import UserError
from t2i_tf.explaining import choosing, many
from t2i_tf.explaining.nearest import nearest_sheet
from t2i_tf.explaining.stages import stages_sheet
from t2i_tf.explaining.ways import ways_sheet
from t2i_tf.explaining.words import captions, words_sheet
from t2i_tf.metrics.features import Extractor
from t2i_tf.models.layout import TILE
from t2i_tf.models.text_to_image import TextToImage
from tests.commands import refused, run

CAPTION = "a small red bird with blue wings"


@pytest.fixture(scope="module")
def model(small_model):
    return TextToImage(small_model)


def test_templates_stand_for_all_their_captions():
    rows = list(captions("a {small,} {red,blue} bird"))
    assert rows == [
        ("a small ... bird", [("red", "a small red bird"), ("blue", "a small blue bird")]),
        ("a ... bird", [("red", "a red bird"), ("blue", "a blue bird")]),
    ]


@pytest.mark.parametrize(
    "template, message",
    [
        ("a red bird", "should have words to choose from in braces"),
        ("a {red,blue bird", "in braces"),
        ("a red,blue} bird", "in braces"),
        ("a {{red,blue}} bird", "in braces"),
        ("a {red} bird", "offers no choice"),
        ("{} bird", "offers no choice"),
        ("{" + ",".join("abcdefghij") + "}" + "{0,1,2,3,4,5,6}" * 3, "3,430 captions, of at most"),
    ],
)
def test_templates_without_a_choice_are_refused(template, message):
    with pytest.raises(UserError, match=message):
        list(captions(template))


def test_a_template_is_drawn_from_one_seed(model):
    sheet = np.asarray(words_sheet(model, "a {red,red} bird", seed=3))
    left = sheet[24 : 24 + TILE, 4 : 4 + TILE]
    np.testing.assert_allclose(
        left.astype(int), sheet[24 : 24 + TILE, 8 + TILE : 8 + 2 * TILE], atol=2
    )


def test_stages_show_each_attention_and_damsm_where_there_is_one(small_model):
    config = ConfigDict({**small_model.config.to_dict(), "damsm": {"gamma1": 4.0}})
    model = TextToImage(dataclasses.replace(small_model, config=config))
    plain = stages_sheet(model, CAPTION, damsm=False)
    with_damsm = stages_sheet(model, CAPTION)
    assert with_damsm.height == plain.height * 3 // 2  # Stages, one attention, then DAMSM.
    assert plain.width >= 5 * TILE


def test_ways_begin_and_end_at_captions_and_seeds(model):
    drawn = model.interpolate_seeds(CAPTION, 5, 9, steps=4)
    ends = [model.generate(CAPTION, seed=seed)[0] for seed in (5, 9)]
    np.testing.assert_allclose(drawn[[0, -1]].astype(int), np.array(ends).astype(int), atol=1)
    assert ways_sheet(model, CAPTION, "a green bird").width > 8 * TILE


def test_between_seeds_only_the_noise_changes(model):
    network = model.network
    tokens = np.array([[1, 2, 0, 0, 0, 0]], np.int32)
    shares = np.array([0.0, 0.5, 1.0], "float32")
    for truncation, differ in ((0.0, False), (1.0, True)):
        drawn = network.between_seeds(tokens, shares, np.array([1, 2]), truncation)
        images = np.asarray(drawn["images"][-1])
        assert (np.abs(images - images[:1]).max() > 1e-4) == differ


class Pictures:
    """A split by hand, of which only the pictures are read."""

    def __init__(self, pictures):
        self.pictures = pictures

    def __len__(self):
        return len(self.pictures)


def test_a_copied_training_picture_is_found(rng, monkeypatch):
    train, test = (Pictures(rng.integers(0, 256, (n, 32, 32, 3), np.uint8)) for n in (40, 12))
    monkeypatch.setattr(
        "t2i_tf.explaining.nearest.real_pictures",
        lambda split, size: (split.pictures[i : i + 32] for i in range(0, len(split), 32)),
    )

    def codes(images):
        return images[:, ::8, ::8].reshape(len(images), -1).astype(np.float32) - 128.0, None

    extractor = Extractor("hand", "By hand", "none", "0" * 64, "not", 48, 0, codes)
    drawn = train.pictures[[35]]
    sheet, medians = nearest_sheet([CAPTION], drawn, extractor, train, test)
    assert medians["drawn"] == pytest.approx(1.0, abs=1e-4)
    assert medians["unseen"] < 0.7
    sheet = np.asarray(sheet)
    for top in (24, 24 + sheet.shape[0] // 2):  # The nearest one, by codes and by pixels, is it.
        cells = sheet[top : top + TILE, 4 : 4 + TILE], sheet[top : top + TILE, 8 + TILE :][:, :TILE]
        np.testing.assert_array_equal(*cells)


def test_every_picture_has_a_cell_of_its_own(rng):
    places = rng.uniform(0, 3, (16, 2))
    cells = many.on_grid(places, 4)
    assert len(set(map(tuple, cells))) == 16
    np.testing.assert_array_equal(cells[0], np.round(places[0]))


def test_sheets_are_those_that_are_possible():
    has = choosing.given(1, None, "data", encoder=False)
    assert list(choosing.choose(None, has)) == ["stages"]
    for asked, message in (
        (["cells"], "'cells' is none of stages, words"),
        (["ways"], "ways needs two captions"),
        (["nearest"], "nearest needs DAMSM's image encoder"),
    ):
        with pytest.raises(UserError, match=message):
            choosing.choose(asked, has)
    with pytest.raises(UserError, match="nothing to show"):
        choosing.choose(None, choosing.given(0, None, None, encoder=True))


def test_command_makes_the_sheets_of_a_data_set(tiny_data, tmp_path):
    printed = run(
        "t2i_tf.explain",
        "--text=a small red bird",
        "--sheets=stages,nearest,gallery",
        f"--data_dir={tiny_data}",
        "--num_images=20",
        f"--output_dir={tmp_path / 'sheets'}",
    )
    written = sorted(path.name for path in (tmp_path / "sheets").iterdir())
    assert written == ["gallery.png", "nearest.png", "stages_000.png"]
    assert "unseen real pictures" in printed
    with Image.open(tmp_path / "sheets" / "gallery.png") as sheet:
        assert sheet.width > 8 * TILE
    line = refused("t2i_tf.explain", "--template=a bird", f"--output_dir={tmp_path}")
    assert line.startswith("error: --template: 'a bird' should have words")


def test_maps_show_every_picture(rng):
    pytest.importorskip("sklearn", reason="an extra")
    thumbnails = rng.integers(0, 200, (12, many.THUMBNAIL, many.THUMBNAIL, 3), np.uint8)
    codes = rng.normal(size=(12, 5)).astype(np.float32)
    sheet = np.asarray(many.map_sheet(many.Many(None, thumbnails, codes, np.zeros(12), {})))
    cells = sheet.reshape(5, many.THUMBNAIL, 5, many.THUMBNAIL, 3).transpose(0, 2, 1, 3, 4)
    shown = {cell.tobytes() for row in cells for cell in row}
    assert {picture.tobytes() for picture in thumbnails} < shown
