import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_pipeline.errors import UserError
from t2i_tf import captions, generate
from t2i_tf.text_to_image import TextToImage, to_uint8

CAPTIONS = ["A small RED bird.", "it has blue wings"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def run_command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "t2i_tf.generate", *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_pictures_are_those_of_text_to_image(small_model, tmp_path):
    paths = list(generate.generate(small_model, CAPTIONS, tmp_path, num_images=2, seed=5))
    assert [path.name for path in paths] == [
        "000_a-small-red-bird_seed5.png",
        "001_a-small-red-bird_seed6.png",
        "002_it-has-blue-wings_seed5.png",
        "003_it-has-blue-wings_seed6.png",
    ]
    tokens = captions.encode(CAPTIONS, small_model.vocabulary, 6).tokens
    network = TextToImage(small_model.text_encoder, small_model.generator)
    expected = to_uint8(network(tokens.repeat(2, axis=0), np.array([5, 6, 5, 6]))["images"][-1])
    for path, picture in zip(paths, expected, strict=True):
        with Image.open(path) as image:
            difference = np.asarray(image, int) - picture.numpy()
            assert image.text["Description"] in CAPTIONS
        assert np.abs(difference).max() <= 1


def test_batches_change_no_picture(small_model):
    tokens = captions.encode(CAPTIONS[:1], small_model.vocabulary, 6).tokens.repeat(5, axis=0)
    seeds = np.arange(5)
    whole = [image for image, _ in generate.draw(small_model, tokens, seeds)]
    parts = [image for image, _ in generate.draw(small_model, tokens, seeds, batch_size=2)]
    np.testing.assert_allclose(np.stack(parts), np.stack(whole), atol=1)


def test_nothing_is_overwritten(small_model, tmp_path):
    (tmp_path / "041_mine.png").write_text("keep")
    for number in (42, 43):
        paths = list(generate.generate(small_model, CAPTIONS[:1], tmp_path))
        assert [path.name for path in paths] == [f"{number:03d}_a-small-red-bird_seed0.png"]
    assert (tmp_path / "041_mine.png").read_text() == "keep"


def test_attention_strips_are_written_beside(small_model, tmp_path):
    list(generate.generate(small_model, CAPTIONS[:1], tmp_path, attention=True))
    assert names(tmp_path) == [
        "000_a-small-red-bird_seed0.png",
        "000_a-small-red-bird_seed0_attention.png",
    ]
    with Image.open(tmp_path / names(tmp_path)[1]) as strip:
        assert strip.width == 5 * 132 + 4  # the picture and four words


def test_what_is_not_read_is_named(small_model, tmp_path, capsys):
    list(generate.generate(small_model, ["a zorp bird, zorp", "a bird " * 4], tmp_path))
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 2
    assert warnings[0].startswith("warning: ") and warnings[0].endswith("does not know: zorp")
    assert "kept the first 6 of 8 words" in warnings[1]


def test_long_captions_are_cut_to_their_first_words(small_model):
    encoded = captions.encode(
        ["zorp red bird with blue wings and a crown"], small_model.vocabulary, 6
    )
    assert encoded.words == [["red", "bird", "with", "blue", "wings", "and"]]
    assert [small_model.vocabulary.words[i] for i in encoded.tokens[0]] == encoded.words[0]


def test_long_captions_are_shown_by_their_beginning(small_model):
    text = "bird " * 999 + "zorp" * 999
    warnings = captions.encode([text], small_model.vocabulary, 6).warnings
    assert len(warnings) == 2 and max(map(len, warnings)) < 500


def test_unknown_captions_are_refused_before_anything_is_written(small_model, tmp_path):
    with pytest.raises(UserError, match=r"knows no word of the caption 'zorp' \(and 1 more\)"):
        list(generate.generate(small_model, ["a bird", "zorp", "…"], tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_long_file_names_are_cut_at_a_word(small_model, tmp_path):
    path = next(generate.generate(small_model, ["a bird with " + "red wings and " * 9], tmp_path))
    slug = re.fullmatch(r"000_(.*)_seed0\.png", path.name)[1]
    assert 50 < len(slug) <= 60 and set(slug.split("-")) <= {
        "a",
        "bird",
        "with",
        "red",
        "wings",
        "and",
    }
    path = next(generate.generate(small_model, ["x" * 300 + " bird"], tmp_path))
    assert len(path.name) < 100


def test_captions_file_is_read_line_by_line(tmp_path):
    path = tmp_path / "captions.txt"
    path.write_bytes("\ufeffa red bird\r\n\n  a blue bird \n".encode())
    assert captions.read_file(path) == ["a red bird", "a blue bird"]


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "cannot read the captions: No such file"),
        (b" \n\n", "has no caption"),
        (b"a gr\xfcn bird", "not UTF-8"),
    ],
)
def test_bad_captions_files_are_named(content, message, tmp_path):
    path = tmp_path / "captions.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf"captions\.txt.*{message}"):
        captions.read_file(path)


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
