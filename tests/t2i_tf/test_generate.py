import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from data_pipeline.pixels import to_uint8
from data_pipeline.support.errors import UserError
from t2i_tf import generate
from t2i_tf.models import captions
from t2i_tf.models.text_to_image import TextToImage, TokensToImage
from tests.commands import ROOT

CAPTIONS = ["A small RED bird.", "it has blue wings"]


@pytest.fixture(scope="module")
def model(small_model):
    return TextToImage(small_model)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def run_command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "t2i_tf.generate", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_pictures_are_those_of_the_network(model, small_model, tmp_path):
    paths = list(generate.write_pictures(model, CAPTIONS, tmp_path, num_images=2, seed=5))
    assert [path.name for path in paths] == [
        "000_a-small-red-bird_seed5.png",
        "001_a-small-red-bird_seed6.png",
        "002_it-has-blue-wings_seed5.png",
        "003_it-has-blue-wings_seed6.png",
    ]
    tokens = captions.encode(CAPTIONS, small_model.vocabulary, 6).tokens
    network = TokensToImage(small_model.text_encoder, small_model.generator)
    expected = to_uint8(network(tokens.repeat(2, axis=0), np.array([5, 6, 5, 6]))["images"][-1])
    for path, picture in zip(paths, expected, strict=True):
        with Image.open(path) as image:
            difference = np.asarray(image, int) - picture.numpy()
            assert image.text["Description"] in CAPTIONS
        assert np.abs(difference).max() <= 1


def test_nothing_is_overwritten(model, tmp_path):
    (tmp_path / "041_mine.png").write_text("keep")
    for number in (42, 43):
        paths = list(generate.write_pictures(model, CAPTIONS[:1], tmp_path))
        assert [path.name for path in paths] == [f"{number:03d}_a-small-red-bird_seed0.png"]
    assert (tmp_path / "041_mine.png").read_text() == "keep"


def test_attention_strips_are_written_beside(model, tmp_path):
    list(generate.write_pictures(model, CAPTIONS[:1], tmp_path, attention=True))
    assert names(tmp_path) == [
        "000_a-small-red-bird_seed0.png",
        "000_a-small-red-bird_seed0_attention.png",
    ]
    with Image.open(tmp_path / names(tmp_path)[1]) as strip:
        assert strip.width == 5 * 132 + 4  # the picture and four words


def test_what_is_not_read_is_named(model, tmp_path, capsys):
    list(generate.write_pictures(model, ["a zorp bird, zorp", "a bird " * 4], tmp_path))
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 2
    assert warnings[0].startswith("warning: ") and warnings[0].endswith("does not know: zorp")
    assert "kept the first 6 of 8 words" in warnings[1]


def test_unknown_captions_are_refused_before_anything_is_written(model, tmp_path):
    with pytest.raises(UserError, match=r"knows no word of the caption 'zorp' \(and 1 more\)"):
        list(generate.write_pictures(model, ["a bird", "zorp", "…"], tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_long_file_names_are_cut_at_a_word(model, tmp_path):
    path = next(generate.write_pictures(model, ["a bird with " + "red wings and " * 9], tmp_path))
    slug = re.fullmatch(r"000_(.*)_seed0\.png", path.name)[1]
    assert 50 < len(slug) <= 60 and set(slug.split("-")) <= {
        "a",
        "bird",
        "with",
        "red",
        "wings",
        "and",
    }
    path = next(generate.write_pictures(model, ["x" * 300 + " bird"], tmp_path))
    assert len(path.name) < 100


def test_command_prints_what_it_wrote(model_dir, tmp_path):
    captions_file = tmp_path / "captions.txt"
    captions_file.write_text("a green bird\n")
    done = run_command(
        f"--model_dir={model_dir}",
        "--text=a red bird, a blue crown",
        f"--captions_file={captions_file}",
        f"--output_dir={tmp_path / 'out'}",
    )
    assert done.returncode == 0, done.stderr
    expected = ["000_a-red-bird-a-blue-crown_seed0.png", "001_a-green-bird_seed0.png"]
    assert names(tmp_path / "out") == expected
    assert done.stdout.split() == [str(tmp_path / "out" / name) for name in expected]


def test_command_says_in_one_line_what_is_wrong(tmp_path):
    done = run_command(f"--model_dir={tmp_path}", "--text=a bird", "--output_dir=out")
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and "is no model directory" in errors[0]
    assert "Traceback" not in done.stderr


def test_the_folder_s_name_may_be_a_files(model, tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(UserError, match="--output_dir=.*out cannot be made: File exists"):
        next(generate.write_pictures(model, CAPTIONS, tmp_path / "out"))
