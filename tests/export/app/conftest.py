"""The page as users start it."""

import contextlib
import os
import subprocess

import pytest

from tests.commands import ROOT, command


@contextlib.contextmanager
def opened(*flags, folder):
    """Runs `python -m export.app` on a free port; yields its address."""
    with subprocess.Popen(
        command("export.app", "--port=0", *flags),
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            first = process.stdout.readline()
            assert first.startswith("the page is at "), first
            yield first.split()[4]
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Where the page's process keeps its temporary files."""
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="session")
def page(folder):
    """The address of a page of the bundled model."""
    for package in ("gradio", "speech_recognition", "pocketsphinx"):
        pytest.importorskip(package, reason="pip install -r requirements-app.txt")
    with opened(folder=folder) as address:
        yield address
    assert not list(folder.iterdir())  # Nothing is kept.
