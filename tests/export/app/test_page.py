"""The page in a real browser: typed, spoken, looked into, varied, downloaded, linked."""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

import t2i_tf
from data_pipeline.drawn.birds import COLOURS
from data_pipeline.text.tokenizer import tokenize

CAPTION = "a small red bird with black wings"


@pytest.fixture(scope="module")
def model():
    return t2i_tf.TextToImage.from_preset("bundled")


def draw(tab, page, caption):
    tab.goto(page)
    tab.wait_for_selector(".t2i-again")
    tab.get_by_label("Caption", exact=True).fill(caption)
    tab.get_by_role("button", name="Draw", exact=True).click()
    tab.wait_for_selector(f"h2:text-is('{caption}')")
    tab.wait_for_selector(".t2i-again")


def sources(tab, within):
    return tab.locator(f"{within} img").evaluate_all("images => images.map(i => i.src)")


def test_a_typed_caption_is_drawn_looked_into_varied_downloaded_and_linked(
    page, browser, model, tmp_path
):
    tab = browser()
    outside = []
    tab.on(
        "request",
        lambda r: outside.append(r.url) if not r.url.startswith((page, "data:", "blob:")) else None,
    )
    draw(tab, page, CAPTION)
    cards = tab.locator(".t2i-card")
    assert cards.count() == 6
    shown = sources(tab, ".t2i-card")

    cards.nth(1).focus()
    tab.keyboard.press("Enter")  # As reachable by the keyboard as by the mouse.
    tab.get_by_role("button", name="red", exact=True).click()
    tab.wait_for_selector(".t2i-frame.lit")
    spot = tab.locator(".t2i-frame.lit .t2i-spot").last
    red = spot.evaluate("image => image.style.maskImage")
    tab.get_by_role("button", name="wings", exact=True).click()
    assert spot.evaluate("image => image.style.maskImage") != red
    assert "wings" in tab.get_by_role("status").filter(has_text="Bright").inner_text()

    tab.get_by_role("button", name="red", exact=True).click()
    tab.get_by_role("button", name="Vary “red”").click()
    tab.wait_for_selector("h2:has-text('other words')")
    tab.wait_for_selector(".t2i-card:has-text('blue')")

    with tab.expect_download() as download:
        tab.get_by_role("link", name="Download picture").click()
    download.value.save_as(tmp_path / "bird.png")
    drawn = np.asarray(Image.open(tmp_path / "bird.png"))
    np.testing.assert_array_equal(drawn, model.generate(CAPTION, seed=1)[0])

    link = tab.locator(".t2i-again").evaluate("a => a.href")
    other = browser()
    other.goto(link)
    other.wait_for_selector(".t2i-again")
    assert sources(other, ".t2i-card") == shown
    assert not outside


def test_unknown_words_are_named_and_exchanged_at_a_click(page, browser):
    tab = browser()
    tab.goto(page)
    tab.wait_for_selector(".t2i-again")
    caption = tab.get_by_label("Caption", exact=True)
    caption.fill("a bird with a blakc <b>crown</b>")
    tab.wait_for_selector("text=does not know “blakc”")
    tab.get_by_role("button", name="black", exact=True).first.click()
    tab.wait_for_function("document.querySelector('#caption textarea').value.includes('black')")
    assert caption.input_value() == "a bird with a black <b>crown</b>"


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng")
def test_a_spoken_caption_is_heard_and_drawn(page, browser, model, tmp_path):
    said = "this bird has a yellow crown, a red belly and black wings"
    sound = tmp_path / "said.wav"
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "140", "-w", sound, said], check=True)
    tab = browser(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={sound}%noloop",
        permissions=["microphone"],
    )
    tab.goto(page)
    tab.wait_for_selector(".t2i-again")
    before = tab.locator("#caption textarea").input_value()
    tab.get_by_role("button", name="Record", exact=True).click()
    tab.wait_for_timeout(7_000)
    tab.get_by_role("button", name="Stop", exact=True).click()
    tab.wait_for_function(
        "old => document.querySelector('#caption textarea').value !== old", arg=before
    )
    heard = tab.locator("#caption textarea").input_value()
    colours = [word for word in tokenize(heard) if word in COLOURS]
    assert colours == ["yellow", "red", "black"]
    tab.wait_for_selector(f"h2:text-is('{heard}')")
    tab.wait_for_selector(".t2i-again")
    with tab.expect_download() as download:
        tab.locator(".t2i-card").first.click()
        tab.get_by_role("link", name="Download picture").click()
    download.value.save_as(tmp_path / "bird.png")
    drawn = np.asarray(Image.open(tmp_path / "bird.png"))
    np.testing.assert_array_equal(drawn, model.generate(heard)[0])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(page, browser, width, scheme):
    tab = browser(viewport={"width": width, "height": 800}, color_scheme=scheme)
    draw(tab, page, CAPTION)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    unnamed = tab.locator("button, input, textarea, a, img").evaluate_all(
        """elements => elements.filter(e => e.offsetParent && !(e.innerText || e.ariaLabel || e.alt
            || e.title || e.labels?.length || e.getAttribute('aria-hidden')
            || e.getAttribute('role') === 'presentation' || e.type === 'file'))
            .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert not unnamed
