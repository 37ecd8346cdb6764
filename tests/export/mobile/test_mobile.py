"""The examples for phones: the Python twin against the package, and constants in all languages."""

import importlib.util
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from data_pipeline.pixels import to_uint8
from data_pipeline.text.tokenizer import tokenize
from data_pipeline.text.vocabulary import WordpieceVocabulary
from data_pipeline.text.wordpiece import LONGEST_WORD
from export.tflite import convert as tflite_convert
from t2i_tf.models import captions, model_directory
from t2i_tf.models.text_to_image import TokensToImage
from tests.commands import ROOT
from tests.unicode_texts import random_texts

MOBILE = ROOT / "export" / "mobile"
SCRIPT = MOBILE / "text_to_image.py"
TEXT = "A small RED\ufffd\ufffdbird, with black wings & zorp"
CAPTIONS = json.loads((MOBILE / "tokens.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def twin():
    spec = importlib.util.spec_from_file_location("twin", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("caption, words", CAPTIONS)
def test_nasty_captions(caption, words, twin):
    assert tokenize(caption) == words
    assert twin.tokenize(caption) == words


def test_any_characters(twin, rng):
    points = rng.integers(0, 0x110000, 200_000)
    points = points[(points < 0xD800) | (points > 0xDFFF)]
    points[::3] = rng.integers(0, 128, len(points[::3]))
    for row in np.array_split(points, 5000):
        text = "".join(map(chr, row))
        assert twin.tokenize(text) == tokenize(text)


def test_pieces_of_any_text(twin, rng, tmp_path):
    texts = random_texts(rng, 600)
    vocabulary = WordpieceVocabulary.from_captions(texts[:100], 2000)
    model = twin.TextToImage.__new__(twin.TextToImage)
    model.ids, model.wordpiece = vocabulary.index, True
    assert [model.tokens(text) for text in texts] == [vocabulary.tokenize(text) for text in texts]
    model.wordpiece = False
    assert [model.tokens(text) for text in texts] == [tokenize(text) for text in texts]


PROGRAM = """
import runpy, sys
script, sys.argv[1:] = sys.argv[1], sys.argv[2:]
runpy.run_path(script, run_name="__main__")
print(sorted({name.partition(".")[0] for name in sys.modules}))
"""


def run_twin(folder, *arguments):
    """Runs the script in a process of its own, away from the package; stderr without LiteRT's."""
    arguments = [sys.executable, "-c", PROGRAM, str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    errors = [line for line in done.stderr.splitlines() if not line.startswith("INFO:")]
    return done.returncode, done.stdout, errors


def test_twin_draws_keras_picture_without_tensorflow(phone, bundled, tmp_path):
    code, output, errors = run_twin(
        tmp_path,
        f"--model={phone['float32'].path}",
        f"--text={TEXT}",
        "--seed=5",
        "--output=bird.png",
    )
    assert code == 0, errors
    loaded = set(re.findall(r"'(\w+)'", output))
    assert "ai_edge_litert" in loaded
    assert not loaded & {"tensorflow", "keras", "t2i_tf", "data_pipeline", "export", "absl"}
    tokens = captions.encode([TEXT], bundled.vocabulary, 18).tokens
    noise = np.random.default_rng(5).standard_normal((1, 32), np.float32)
    network = TokensToImage(bundled.text_encoder, bundled.generator)
    expected = to_uint8(network.from_noise(tokens, noise)["images"][-1]).numpy()[0]
    picture = np.asarray(Image.open(tmp_path / "bird.png"))
    assert picture.shape == expected.shape
    assert np.abs(picture.astype(int) - expected).max() <= 1


def test_twin_tells_what_is_wrong(phone, tmp_path):
    (tmp_path / "text.tflite").write_text("no model")
    for model, text, message in (
        (phone["float32"].path, "zorp", "knows no word of 'zorp'"),
        ("nothing.tflite", "a bird", "No such file"),
        ("text.tflite", "a bird", "lacks vocabulary.txt or config.json"),
    ):
        code, _, errors = run_twin(tmp_path, f"--model={model}", f"--text={text}", "--output=o.png")
        assert code == 1 and len(errors) == 1 and message in errors[0]
    assert not (tmp_path / "o.png").exists()


@pytest.mark.parametrize(
    "name", ["text_to_image.py", "kotlin/TextToImage.kt", "swift/TextToImage.swift"]
)
def test_names_are_those_of_the_export(name, phone):
    """The quoted strings of the constants, in every language."""
    source = (MOBILE / name).read_text()
    for constant in (tflite_convert.SIGNATURE, "tokens", "noise", "image"):
        declared = rf'^(private )?(const val |let |)[\w, ]*= .*"{constant}"'
        assert re.search(declared, source, re.MULTILINE), constant


@pytest.mark.parametrize(
    "name", ["text_to_image.py", "kotlin/Tokenizer.kt", "swift/Tokenizer.swift"]
)
def test_vocabulary_and_config_are_read_by_their_names(name):
    source = (MOBILE / name).read_text(encoding="utf-8")
    for constant in ("VOCABULARY", "CONFIG"):
        declared = f'(?i){constant}(file)? = "{getattr(model_directory, constant)}"'
        assert re.search(declared, source)
    assert re.search(rf"(?i)longest_?word = {LONGEST_WORD}\b", source)


@pytest.mark.parametrize("name", ["kotlin/MainActivity.kt", "swift/ContentView.swift"])
def test_apps_open_a_file_that_is_exported(name, phone):
    named = re.findall(r"text_to_image_\w+", (MOBILE / name).read_text())
    assert named and set(named) <= {row.path.stem for row in phone.values()}
