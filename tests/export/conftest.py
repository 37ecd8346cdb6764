"""Fixtures that the tests of several exports share."""

import contextlib
import shutil

import pytest

from export import tflite
from t2i_tf.models import model_directory

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def phone(tmp_path_factory):
    """The bundled model's LiteRT files, by variant: a dict of `Measured`."""
    folder = tmp_path_factory.mktemp("phone")
    return {row.variant: row for row in tflite.export("bundled:64", folder)}


@pytest.fixture(scope="session")
def bundled():
    """The model that comes with the package."""
    return model_directory.load("bundled:64")


@pytest.fixture
def browser():
    """Opens tabs: a function from Chromium's flags and a context's options to a blank tab."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as started, contextlib.ExitStack() as stack:

        def tab(*flags, **options):
            chromium = started.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", *flags]
            )
            stack.callback(chromium.close)
            context = chromium.new_context(**options)
            context.set_default_timeout(60_000)
            return context.new_page()

        yield tab
