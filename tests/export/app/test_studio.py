"""What the page can do: draw, explain, vary, mix, hear, download."""

import base64
import io
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image

from data_pipeline.support.errors import UserError

pytest.importorskip("gradio", reason="pip install -r requirements-app.txt")
pytest.importorskip("pocketsphinx", reason="pip install -r requirements-app.txt")

from starlette.applications import Starlette  # noqa: E402
from starlette.testclient import TestClient  # noqa: E402

from export.app import studio as studios  # noqa: E402
from export.app.asked import Asked, Turns  # noqa: E402
from export.app.downloads import routes  # noqa: E402
from export.app.models import Local  # noqa: E402
from export.app.ngrams import NGrams  # noqa: E402
from t2i_tf.models.text_to_image import TextToImage  # noqa: E402

CAPTIONS = ["a red bird", "a blue bird", "this small green bird"]


@pytest.fixture(scope="module")
def model(small_model):
    return TextToImage(small_model)


@pytest.fixture
def studio(model):
    turn = threading.Lock()
    models = [Local("one", model, turn), Local("two", model, turn)]
    return studios.Studio(models, CAPTIONS, NGrams(CAPTIONS), lambda audio: "", Turns(10_000))


@pytest.fixture
def site(studio):
    return TestClient(Starlette(routes=routes(studio)))


def decoded(source):
    return base64.b64decode(source.partition("base64,")[2])


def pixels(file):
    return np.asarray(Image.open(io.BytesIO(file)))


def test_a_gallery_grows_picture_by_picture_for_all_models_in_turn(studio, model):
    asked = Asked("a red bird", seed=3, number=6)
    grown = list(studio.draw(asked, "me"))
    counts = [[len(row["pictures"]) for row in gallery["rows"]] for gallery in grown]
    assert counts == [[i // 2 + i % 2, i // 2] for i in range(1, 13)]
    expected = model.generate("a red bird", 6, seed=3)
    for row in grown[-1]["rows"]:
        drawn = [pixels(decoded(picture["src"])) for picture in row["pictures"]]
        np.testing.assert_array_equal(drawn, expected)
    assert len(grown[0]["rows"][0]["pictures"]) == 1  # What was sent is not changed later.


def test_a_visitor_who_asks_for_many_does_not_hold_up_another(studio):
    many = studio.draw(Asked("a red bird", number=64), "one")
    next(many)
    *_, other = studio.draw(Asked("a blue bird", number=1), "another")  # Before the many go on.
    assert other["total"] == 2
    *_, last = many
    assert len(last["rows"][0]["pictures"]) == 64


def test_a_picture_tells_how_it_was_drawn(studio):
    *_, gallery = studio.draw(Asked("a red bird <b>", 5, 1, 0.5), "me")
    texts = Image.open(io.BytesIO(decoded(gallery["rows"][1]["pictures"][0]["src"]))).text
    told = {"Description": "a red bird <b>", "Seed": "5", "Truncation": "0.5", "Model": "two"}
    assert texts == told


def test_less_noise_makes_the_pictures_of_a_caption_more_alike(model):
    tokens = np.array([[1, 4, 7]] * 8, np.int32)
    seeds = np.arange(8)
    spread = [
        np.std([picture for picture, _ in model.draw(tokens, seeds, truncation=t)], axis=0).mean()
        for t in (1.0, 0.3, 0.0)
    ]
    assert spread[0] > spread[1] > spread[2] == 0


def test_an_explanation_shows_every_stage_and_where_each_looked(studio, model):
    shown = studio.explain(Asked("A purple red bird", 2), 1, "me")
    assert [stage["size"] for stage in shown["stages"]] == [16, 32]
    assert [(w["text"], w["read"]) for w in shown["words"]] == [
        ("A", 0), ("purple", -1), ("red", 1), ("bird", 2)
    ]  # fmt: skip
    assert [len(stage["spots"]) for stage in shown["stages"]] == [0, 3]
    attention = model.explain("A purple red bird", 2).attention[0]
    spot = pixels(decoded(shown["stages"][1]["spots"][2]))[..., 1]
    np.testing.assert_allclose(
        spot / 255, attention[..., 2] / attention[..., 2].max(), atol=1 / 255
    )
    final = pixels(decoded(shown["stages"][1]["src"]))
    np.testing.assert_array_equal(final, model.generate("A purple red bird", seed=2)[0])


def test_varying_a_word_keeps_the_seed_and_all_other_words(studio, model):
    *_, gallery = studio.vary(Asked("A Red bird, this", 4), 0, 1, "me")
    (row,) = gallery["rows"]
    assert [p["caption"] for p in row["pictures"]] == ["A Red bird, this", "A blue bird, this"]
    drawn = pixels(decoded(row["pictures"][1]["src"]))
    np.testing.assert_array_equal(drawn, model.generate("a blue bird this", seed=4)[0])
    with pytest.raises(UserError, match="no word to put"):
        next(studio.vary(Asked("a this"), 0, 1, "me"))
    with pytest.raises(UserError, match="word must be"):
        next(studio.vary(Asked("a red bird"), 0, 17, "me"))


def test_articles_follow_the_word_that_replaces_another():
    assert (
        studios.replaced("A red bird has a red wing", 1, "orange")
        == "An orange bird has a red wing"
    )
    assert studios.replaced("an orange bird", 1, "red") == "a red bird"


def test_the_way_between_captions_begins_and_ends_with_their_pictures(studio, model):
    *_, gallery = studio.between(Asked("a red bird", 6), "this small blue bird", 10, "me")
    for row in gallery["rows"]:
        drawn = [pixels(decoded(picture["src"])) for picture in row["pictures"]]
        assert len(drawn) == 10
        ends = model.generate(["a red bird", "this small blue bird"], seed=6)[:, 0]
        np.testing.assert_array_equal(drawn[0], ends[0])
        np.testing.assert_array_equal(drawn[-1], ends[1])
        assert any((drawn[0] != middle).any() and (drawn[-1] != middle).any() for middle in drawn)


def test_downloads_have_the_bytes_of_the_page(studio, site):
    asked = Asked("a red bird", 8, 3, 0.9)
    *_, gallery = studio.draw(asked, "me")
    shown = [decoded(picture["src"]) for picture in gallery["rows"][1]["pictures"]]
    assert site.get(f"/picture.png{asked.query(model=1)}").content == shown[0]
    zipped = zipfile.ZipFile(io.BytesIO(site.get(f"/pictures.zip{asked.query(model=1)}").content))
    assert [zipped.read(name) for name in zipped.namelist()] == shown
    assert zipped.namelist()[2] == "002_a-red-bird_seed10.png"
    sheet = Image.open(io.BytesIO(site.get(f"/sheet.png{asked.query()}").content))
    assert sheet.size == (2 * 34 + 2, 2 * 34 + 2) and sheet.text["Seed"] == "8 to 10"
    query = asked.query(last="this green bird", steps=4)
    animation = Image.open(io.BytesIO(site.get(f"/between.webp{query}").content))
    assert animation.n_frames == 6


@pytest.mark.parametrize(
    "query",
    ["", "?caption=", "?caption=%00", "?caption=a&seed=-1", "?caption=a&model=9", "?caption=xyzzy"],
)
def test_a_bad_link_is_answered_by_one_line(site, query):
    for path in ("picture.png", "sheet.png", "pictures.zip", "between.webp"):
        answer = site.get(f"/{path}{query}")
        assert answer.status_code == 400
        assert answer.text.count("\n") == 1 and "Traceback" not in answer.text


def test_the_notes_name_each_models_unknown_words(studio):
    notes = studio.notes("a purple bird ")
    assert [note["model"] for note in notes["unknown"]] == ["one", "two"]
    assert notes["unknown"][0]["word"] == "purple"
    assert studio.notes("")["examples"] and not studio.notes("")["unknown"]
    assert studio.notes(None)["caption"] == ""


def test_a_recording_is_removed_even_if_it_cannot_be_read(studio, tmp_path):
    recording = tmp_path / "said.wav"
    recording.write_text("no sound")
    with pytest.raises(UserError, match="no WAV file"):
        studio.hear(recording, "me")
    assert not recording.exists()
