"""The site in a real browser without a network: its pictures, words and noise are Python's."""

import contextlib
import io
import itertools
import json
import re
import subprocess
import sys
import urllib.parse
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from data_pipeline.support.errors import UserError
from data_pipeline.text.tokenizer import tokenize
from data_pipeline.text.vocabulary import END, WordpieceVocabulary
from export import web
from export.tflite.convert import SIGNATURE
from export.web.writer import LITERT_VERSION, MODEL, STATIC
from t2i_tf.models import captions, model_directory
from t2i_tf.networks import build
from tests.commands import ROOT, refused, run
from tests.unicode_texts import random_texts

CAPTION = "a small red bird with black wings"
PIECES = ["крас", "##н", "##ая", "птиц", "##а", "red", "鸟"]
LITERT = ROOT / "litert"
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
GPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
LEVELS = 2  # by which a picture may differ from Python's
FIRST_PICTURE_S = 3.0
LOADS = 3  # of which one must be that fast: other programs may use the machine
# A model of one pixel; the graphics card draws it by the runner that is put in here.
STAND_IN = """async (file) => {
    const draws = (level) => ({
        run: async () => ({ image: { data: async () => [level], delete() {} } }),
        getInputDetails: () => ["tokens", "noise"].map((name) => ({ name, shape: [1, 2] })),
        getOutputDetails: () => [{ name: "image", shape: [1, 1, 1, 3] }],
    });
    const litert = { Tensor: class { delete() {} }, loadAndCompile: async () => %s };
    const model = new t2i.TextToImage(litert, new Uint8Array(file), draws(100), true);
    const told = await model.useGpu([1], 0);
    return { told, level: (await model.draw([1], 0))[0] };
}"""


@contextlib.contextmanager
def served(folder):
    """Serves a folder as users do; yields its address."""
    arguments = [sys.executable, "-u", "-m", "http.server", "0", "--bind=127.0.0.1"]
    with subprocess.Popen(
        [*arguments, f"--directory={folder}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield re.search(r"http://\S+/", process.stdout.readline())[0]
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def litert():
    """Where LiteRT.js is."""
    if not (LITERT / "node_modules").is_dir():
        pytest.skip(f"npm install --prefix=litert @litertjs/core@{LITERT_VERSION}")
    return LITERT


@pytest.fixture(scope="module")
def site(litert, tmp_path_factory):
    """The folder and the address of the bundled model's site."""
    folder = tmp_path_factory.mktemp("site")
    run("export.web", f"--output_dir={folder}", f"--litert_dir={litert}")
    with served(folder) as address:
        yield folder, address


@pytest.fixture
def script(browser):
    """A tab that has imported text_to_image.js."""
    with served(STATIC) as address:
        tab = browser()
        tab.goto(f"{address}LICENSE.litert.txt")
        tab.evaluate("import('./text_to_image.js').then((module) => { window.t2i = module; })")
        yield tab


def archive(vocabulary, config):
    """The bytes of a file that ends in a zip archive, as LiteRT files of models do."""
    stream = io.BytesIO(b"before the archive")
    with zipfile.ZipFile(stream, "a") as file:
        file.writestr(model_directory.VOCABULARY, vocabulary)
        file.writestr(model_directory.CONFIG, config)
    return list(stream.getvalue())


def wait_until_drawn(tab, address):
    tab.goto(address)
    tab.wait_for_selector("text=Choose one to save it")


def saved_pictures(tab, folder):
    """The pictures as a visitor saves them, in their order."""
    pictures = []
    for link in tab.locator("#gallery a").all():
        with tab.expect_download() as download:
            link.click()
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        pictures.append(np.asarray(Image.open(path).convert("RGB")))
    return pictures


def assert_pictures_are_pythons(pictures, folder, model, caption, first_seed):
    tokens = captions.encode([caption], model.vocabulary, model.config.data.max_words).tokens
    draw = Interpreter(str(folder / MODEL)).get_signature_runner(SIGNATURE)
    for seed, picture in enumerate(pictures, first_seed):
        noise = pythons_noise(seed, model.generator.noise_dim)[None]
        expected = draw(tokens=tokens, noise=noise)["image"][0]
        assert picture.shape == expected.shape
        assert np.abs(picture.astype(int) - expected).max() <= LEVELS


def pythons_noise(seed, count):
    """What `TokensToImage` draws with."""
    return tf.random.stateless_normal([count], [seed, 0], alg="philox").numpy()


def test_words_are_pythons(script, rng):
    cases = json.loads((ROOT / "export" / "mobile" / "tokens.json").read_text(encoding="utf-8"))
    texts = [caption for caption, _ in cases] + random_texts(rng, 3000)
    words = script.evaluate("texts => texts.map(text => t2i.tokenize(text))", texts)
    assert words[: len(cases)] == [expected for _, expected in cases]
    assert words == [tokenize(text) for text in texts]


def test_pieces_of_words_are_pythons(script, rng):
    texts = random_texts(rng, 600) + ["a" * 1001 + " a"]
    vocabulary = WordpieceVocabulary.from_captions(texts[:100], 2000)
    pieces = script.evaluate(
        """([texts, words]) => {
            const ids = new Map(words.map((word, id) => [word, id]));
            return texts.map(text => t2i.tokens(text, ids, true));
        }""",
        [texts, vocabulary.words],
    )
    assert pieces == [vocabulary.tokenize(text) for text in texts]


def test_noise_is_pythons(script):
    seeds = (0, 1, 999_999, 2**31, 2**32, 2**53 - 1)
    for seed, count in itertools.product(seeds, (1, 6, 103)):
        numbers = script.evaluate("([seed, count]) => [...t2i.noise(seed, count)]", [seed, count])
        np.testing.assert_allclose(numbers, pythons_noise(seed, count), atol=2e-6)


def test_the_page_draws_pythons_pictures_and_asks_for_nothing_elsewhere(
    site, browser, bundled, tmp_path
):
    folder, address = site
    tab = browser(OFFLINE)
    requests, errors = [], []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    first_ms = []
    for _ in range(LOADS):
        wait_until_drawn(tab, address)
        first_ms.append(tab.evaluate("performance.getEntriesByName('picture')[0].startTime"))
    assert min(first_ms) / 1000 < FIRST_PICTURE_S
    pictures = saved_pictures(tab, tmp_path)
    assert len(pictures) == 6
    assert_pictures_are_pythons(pictures, folder, bundled, CAPTION, 0)
    assert all(url.startswith((address, "data:")) for url in requests) and not errors
    # The page's own policy also keeps scripts that are not its own from sending anything.
    fetched = "fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')"
    assert tab.evaluate(fetched) == "refused"


def test_a_caption_is_typed_its_unknown_words_named_and_its_link_draws_again(
    site, browser, bundled, tmp_path
):
    folder, address = site
    tab = browser(OFFLINE)
    wait_until_drawn(tab, address)
    caption = "a blue zorp bird & a <b>yellow</b> crown"
    tab.get_by_label("Caption").fill(caption)
    tab.wait_for_selector("#notes:has-text('does not know “zorp”, “b”')")
    tab.get_by_label("Pictures", exact=True).first.fill("2")
    tab.get_by_label("Seed of the first").fill("41")
    tab.get_by_label("Caption").press("Enter")
    tab.wait_for_selector("text=2 pictures")
    drawn = saved_pictures(tab, tmp_path)
    assert_pictures_are_pythons(drawn, folder, bundled, caption, 41)
    link = tab.url
    assert dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link).fragment))["seed"] == "41"
    other = browser(OFFLINE)
    wait_until_drawn(other, link)
    np.testing.assert_array_equal(saved_pictures(other, tmp_path), drawn)
    tab.get_by_label("Caption").fill("zorp")
    tab.get_by_role("button", name="Draw").click()
    tab.wait_for_selector("text=knows no word of this caption")
    assert tab.url == link


@pytest.mark.parametrize(
    "fragment", ["number=65", "number=0", "seed=-1", "seed=a", "seed=1e9", "number=2.5"]
)
def test_links_beyond_the_limits_draw_nothing(site, browser, fragment):
    tab = browser(OFFLINE)
    tab.goto(f"{site[1]}#caption=a+red+bird&{fragment}")
    tab.wait_for_selector("#draw:enabled")
    assert tab.evaluate("!document.querySelector('form').checkValidity()")
    assert tab.locator("#gallery img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_the_page_fits_is_labelled_and_is_reached_by_the_keyboard(site, browser, width, scheme):
    tab = browser(OFFLINE, viewport={"width": width, "height": 800}, color_scheme=scheme)
    wait_until_drawn(tab, f"{site[1]}#caption={'b' * 300}+red+bird&number=2")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    unnamed = tab.locator("button, input, textarea, a, img, summary").evaluate_all(
        "all => all.filter(e => !(e.textContent || e.alt || e.labels?.length || e.title))"
        ".map(e => e.outerHTML)"
    )
    assert not unnamed
    reached = set()
    for _ in range(20):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"caption", "number", "seed", "draw", "others", "A", "SUMMARY"} <= reached


def test_where_there_is_a_graphics_card_the_processor_draws_first(site, browser, bundled, tmp_path):
    tab = browser(OFFLINE, *GPU)
    wait_until_drawn(tab, f"{site[1]}#number=1")
    if not tab.get_by_role("button", name="Use the graphics card").is_visible():
        pytest.skip("this Chromium has no graphics card in software")
    assert_pictures_are_pythons(saved_pictures(tab, tmp_path), site[0], bundled, CAPTION, 0)


@pytest.mark.parametrize(
    ("card", "told", "level"),
    [
        ("draws(102)", "draws now", 102),
        ("draws(103)", "other pictures", 100),
        ("Promise.reject(new Error('no memory'))", "no memory", 100),
    ],
)
def test_a_graphics_card_draws_only_what_the_processor_draws(script, card, told, level):
    answer = script.evaluate(STAND_IN % card, archive(f"{END}\nbird\n", "{}"))
    assert told in answer["told"] and answer["level"] == level


def test_a_file_without_its_words_is_refused(script):
    with pytest.raises(Exception, match="lacks vocabulary.txt or config.json"):
        script.evaluate("new t2i.TextToImage({}, new Uint8Array(99), {}, false)")


def test_a_model_of_another_size_that_reads_pieces_of_words_is_drawn(
    litert, browser, small_config, tmp_path
):
    vocabulary = WordpieceVocabulary([END, *PIECES])
    encoder = build.text_encoder(small_config, len(vocabulary))
    generator = build.generator(small_config)
    model = model_directory.ModelDirectory(small_config, vocabulary, encoder, generator=generator)
    model_directory.save(tmp_path / "model", model, "# Pieces\n")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "own.txt").write_text("stays")
    web.export(tmp_path / "model", tmp_path / "site", litert)
    assert (tmp_path / "site" / "own.txt").read_text() == "stays"
    caption = "Красная ПТИЦА ｒｅｄ zebra 鸟鸟"
    with served(tmp_path / "site") as address:
        tab = browser(OFFLINE)
        wait_until_drawn(tab, f"{address}#number=2&caption={urllib.parse.quote(caption)}")
        notes = tab.locator("#notes").inner_text()
        assert "“zebra”" in notes and "last 2 are left out" in notes
        assert tab.get_by_text("# Pieces").count() == 1
        pictures = saved_pictures(tab, tmp_path)
    assert_pictures_are_pythons(pictures, tmp_path / "site", model, caption, 0)


def test_a_folder_without_litert_is_named_with_the_command_that_fetches_it(tmp_path):
    message = refused("export.web", f"--output_dir={tmp_path / 's'}", f"--litert_dir={tmp_path}")
    assert f"npm install --prefix={tmp_path} @litertjs/core@{LITERT_VERSION}" in message
    assert not (tmp_path / "s").exists()


def test_an_earlier_site_is_kept_unless_it_may_be_replaced(litert, tmp_path):
    (tmp_path / "page.js").write_text("mine")
    with pytest.raises(UserError, match=r"page.js exists already"):
        web.export("bundled", tmp_path, litert)
    for folder in (tmp_path, tmp_path / "new"):
        with pytest.raises(UserError, match="no model directory"):
            web.export(tmp_path / "none", folder, litert, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["page.js"]
    assert (tmp_path / "page.js").read_text() == "mine"
