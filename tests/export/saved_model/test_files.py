"""The files that the export writes, and the inputs that it refuses."""

import json
import re
import resource
import shutil
import subprocess

import pytest
import tensorflow as tf

from data_pipeline.support.errors import UserError
from data_pipeline.support.hashing import file_sha256
from export import saved_model
from export.saved_model import writer
from t2i_tf.metrics import report
from t2i_tf.models import model_directory
from tests.commands import ROOT, command


def test_versions_count_up_and_are_not_replaced(model_dir, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(writer, "_write", lambda model, path, precision: written.append(path))
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "old").touch()
    assert saved_model.export(model_dir, tmp_path) == tmp_path / "8"
    with pytest.raises(UserError, match="7 exists already"):
        saved_model.export(model_dir, tmp_path, version=7)
    assert len(written) == 1 and (tmp_path / "7" / "old").exists()
    saved_model.export(model_dir, tmp_path, version=7, overwrite=True)
    assert not (tmp_path / "7" / "old").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["7", "8"]


def test_failed_export_leaves_no_version(model_dir, tmp_path, monkeypatch):
    def fail(model, path, precision):
        (path / "half").touch()
        raise RuntimeError("disk full")

    monkeypatch.setattr(writer, "_write", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        saved_model.export(model_dir, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_told(model_dir, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file is a file: give a folder"):
        saved_model.export(model_dir, tmp_path / "file")


def test_a_full_disk_is_told_and_nothing_is_left(model_dir, tmp_path, monkeypatch):
    def fail(model, path, precision):
        (path / "half").touch()
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(writer, "_write", fail)
    with pytest.raises(UserError, match="cannot write .*1: No space left on device"):
        saved_model.export(model_dir, tmp_path)
    assert not list(tmp_path.iterdir())


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="is no model directory"):
        saved_model.export(tmp_path, tmp_path / "served")
    assert not (tmp_path / "served").exists()


@pytest.fixture
def copy(model_dir, tmp_path):
    return shutil.copytree(model_dir, tmp_path / "copy")


def test_measured_figures_are_on_the_card(copy, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "_write", lambda model, path, precision: None)
    figures = {
        "of": "some model",
        "pictures": {
            "count": 7,
            "size": 32,
            "generator_sha256": file_sha256(copy / "generator.weights.h5"),
        },
        "real": None,
        "networks": [],
        "judges": [],
        "figures": [],
    }
    for folder, of in (("of_these", "these weights"), ("of_others", "other weights")):
        (copy / folder).mkdir()
        report.write({**figures, "of": of}, copy / folder)
        figures["pictures"] = {**figures["pictures"], "generator_sha256": "0"}
    version = saved_model.export(copy, tmp_path / "served")
    card = (version / "assets.extra" / "README.md").read_text()
    assert "## Measured: these weights" in card and "other weights" not in card
    (copy / "of_these" / "report.json").write_text("{")
    with pytest.raises(UserError, match="of_these/report.json is no report"):
        saved_model.export(copy, tmp_path / "served")


def no_model(folder):
    (folder / "config.json").unlink()


def no_vocabulary(folder):
    (folder / "vocabulary.txt").unlink()


def longer_vocabulary(folder):
    with open(folder / "vocabulary.txt", "a") as file:
        file.write("zorp\n")


def longer_vocabulary_of_an_old_model(folder):
    longer_vocabulary(folder)
    config = json.loads((folder / "config.json").read_text())
    del config[model_directory.VOCABULARY_HASH]
    (folder / "config.json").write_text(json.dumps(config))


def other_words(folder):
    words = (folder / "vocabulary.txt").read_text()
    (folder / "vocabulary.txt").write_text(words.replace("red", "zorp"))


def existing_version(folder):
    (folder / "served" / "4").mkdir(parents=True)


def file_in_the_way(folder):
    (folder / "served").touch()


def full_disk():
    """No file may grow beyond 20 kB: what a disk does that is full in the middle of a write."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


@pytest.mark.parametrize(
    ("damage", "message", "limit"),
    [
        (no_model, "copy is no model directory: it lacks config.json", None),
        (no_vocabulary, "copy is no model directory: it lacks vocabulary.txt", None),
        (longer_vocabulary, "copy/vocabulary.txt is not the vocabulary", None),
        (longer_vocabulary_of_an_old_model, "no weights of shape .*text_encoder.weights.h5", None),
        (other_words, "copy/vocabulary.txt is not the vocabulary", None),
        (existing_version, "served/4 exists already: give another version", None),
        (file_in_the_way, "served is a file: give a folder", None),
        (lambda folder: None, "cannot write .*served/4: .*", full_disk),
    ],
)
def test_command_refuses_in_one_line(damage, message, limit, copy):
    damage(copy)
    before = sorted(copy.rglob("*"))
    flags = [f"--model_dir={copy}", f"--output_dir={copy / 'served'}", "--version=4"]
    done = subprocess.run(
        command("export.saved_model", *flags),
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert re.search(message, line), line
    assert done.stderr.endswith(line + "\n") and "Traceback" not in done.stderr
    left = [path for path in sorted(copy.rglob("*")) if path not in before]
    assert left in ([], [copy / "served"])
