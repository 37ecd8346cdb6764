import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from data_pipeline.dataset import Split
from data_pipeline.drawn.russian import COLOURS

ROOT = Path(__file__).parents[2]
WORDS = [[" ".join(forms) for forms in COLOURS.values()]]


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "data_pipeline.build_tfrecords", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_drawn_birds_are_built_in_one_command(tmp_path):
    result = command(
        *("--source=synthetic", f"--output_dir={tmp_path / 'data' / 'birds'}"),
        *("--num_train=4", "--num_test=2", "--num_species=3", "--picture_size=64"),
        *("--image_size=32", "--num_shards=1", "--workers=1"),
    )
    assert result.returncode == 0, result.stderr
    assert "birds: 4 train, 2 test pictures of 38 px, " in result.stdout
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["birds"]
    split = Split(tmp_path / "data" / "birds", "train")
    assert len(split) == 4
    assert all(b'"belly"' in example["attributes"] for example in split.examples())


def test_captions_in_russian_are_built_into_wordpieces(tmp_path):
    result = command(
        *("--source=synthetic", f"--output_dir={tmp_path / 'birds'}", "--language=ru"),
        *("--tokenizer=wordpiece", "--vocabulary_size=100", "--variety=plain"),
        *("--num_train=4", "--num_test=2", "--num_species=3", "--picture_size=64"),
        *("--image_size=32", "--num_shards=1", "--workers=1"),
    )
    assert result.returncode == 0, result.stderr
    assert " wordpieces\n" in result.stdout and "left out" not in result.stderr
    split = Split(tmp_path / "birds", "train")
    assert split.info.vocabulary["tokenizer"] == "wordpiece" == split.vocabulary.tokenizer
    assert 60 < len(split.vocabulary) <= 100
    example = split.example(0)
    ids = example["token_ids"][: example["token_counts"][0]]
    pieces = " ".join(split.vocabulary.words[i] for i in ids).replace(" ##", "")
    assert pieces == example["captions"][0].decode().replace(",", "")
    options = dict(batch_size=4, image_sizes=[32], seed=0, exchange_words=WORDS)
    (whole,) = split.train_batches(max_words=60, **options).take(1)
    assert (whole["tokens"] != whole["wrong_tokens"]).numpy().any(axis=1).all()
    (cut,) = split.train_batches(max_words=12, **options).take(1)
    for key in ("tokens", "wrong_tokens"):  # Random words are kept, not random pieces.
        firsts = [split.vocabulary.words[row[0]] for row in cut[key].numpy()]
        assert not any(first.startswith("##") for first in firsts)


def test_bad_input_ends_with_its_list_and_exit_code_1(mini_cub, tmp_path):
    mini_cub.image(mini_cub.names[0]).unlink()
    result = command(
        "--source=cub", f"--input_dir={mini_cub.root}", f"--output_dir={tmp_path / 'built'}"
    )
    assert result.returncode == 1
    *_, first, header, line = result.stderr.splitlines()
    assert first == f"error: {mini_cub.root}: 1 problem, nothing was written"
    assert header == "missing pictures (1):"
    assert line.endswith("Red_Bird_1.jpg: no such file")
    assert not (tmp_path / "built").exists()


def test_own_pictures_are_built_without_the_bad_ones(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    for i in range(6):
        Image.new("RGB", (40, 30)).save(raw / f"{i}.jpg")
        (raw / f"{i}.txt").write_text("a dark card\n" if i else "  \n")
    result = command(
        *("--source=folder", f"--input_dir={raw}", f"--output_dir={tmp_path / 'built'}"),
        *("--image_size=16", "--skip_bad", "--validation=0.2", "--workers=1", "--noclass_folders"),
    )
    assert result.returncode == 0, result.stderr
    assert "built: 4 train, 1 test pictures of 19 px, 4 words" in result.stdout
    assert "warning: bad pictures and captions left out: 1\nempty captions (1):" in result.stderr
    assert "1 of 5 pictures are held out" in result.stderr
    assert len(Split(tmp_path / "built", "train")) == 4


def test_cub_needs_a_folder(tmp_path):
    result = command("--source=cub", f"--output_dir={tmp_path / 'built'}")
    assert result.returncode == 1
    assert result.stderr == "error: --source=cub needs --input_dir, the folder of the raw data\n"


def test_a_file_that_cannot_be_read_is_one_line(mini_cub, tmp_path):
    table = mini_cub.root / "CUB_200_2011" / "classes.txt"
    table.unlink()
    table.mkdir()
    result = command(
        "--source=cub", f"--input_dir={mini_cub.root}", f"--output_dir={tmp_path / 'built'}"
    )
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == f"error: {table}: Is a directory"
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)],
)
def test_a_stopped_build_leaves_no_half_and_no_process(tmp_path, number, code):
    folder = tmp_path / "data"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "data_pipeline.build_tfrecords", "--source=synthetic"),
            *(f"--output_dir={folder / 'birds'}", "--num_train=600", "--num_test=10"),
            *("--variety=plain", "--picture_size=64", "--image_size=32", "--workers=2"),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    next(line for line in process.stderr if line.startswith("["))
    if number == signal.SIGINT:  # A terminal sends it to all processes.
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    # The stream ends only when the last process of the pool has.
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert not (folder / "birds").exists()
    left = [path.name for path in folder.iterdir()]
    assert left == ([".birds.drawn"] if number == signal.SIGKILL else [])
