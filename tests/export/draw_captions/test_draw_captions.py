import csv
import json
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipeline.sources import table
from data_pipeline.support.errors import UserError
from export import saved_model
from export.draw_captions import job
from export.draw_captions.__main__ import draw
from t2i_tf.models.images import save_png
from t2i_tf.models.text_to_image import TextToImage
from tests.commands import ROOT, refused

TEXTS = ["a small red bird", "a blue bird, with green wings", "it", "red wings", "a green belly"]


@pytest.fixture(scope="module")
def model(model_dir, tmp_path_factory):
    return saved_model.export(model_dir, tmp_path_factory.mktemp("served") / "small")


@pytest.fixture
def beam():
    return pytest.importorskip("apache_beam")


def a_job(model, texts=TEXTS, num_images=2, seed=3, batch_size=4):
    captions = [job.Caption(f"id {i}", text, f"line {i}") for i, text in enumerate(texts)]
    return job.Job(model, captions, num_images, seed, batch_size)


def drawn(work, folder, workers=1):
    folder.mkdir(exist_ok=True)
    if not work.claim(folder):
        draw(work, folder, "DirectRunner", [], workers)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def test_the_pictures_are_the_signatures_and_generates(beam, model, model_dir, tmp_path):
    files = drawn(a_job(model), tmp_path / "out")
    rows = [json.loads(line) for line in files["metadata.jsonl"].decode().splitlines()]
    assert [(row["id"], row["text"], row["seed"]) for row in rows[:3]] == [
        ("id 0", TEXTS[0], 3),
        ("id 0", TEXTS[0], 4),
        ("id 1", TEXTS[1], 3),
    ]
    assert rows[2]["file_name"] == "000000/002_a-blue-bird-with-green-wings_seed3.png"
    generate = tf.saved_model.load(str(model)).signatures["generate"]
    by_keras = TextToImage.from_preset(model_dir).generate(TEXTS, 2, seed=3).reshape(10, 32, 32, 3)
    for start in range(0, 10, 4):
        group = rows[start : start + 4]
        pictures = generate(
            text=tf.constant([row["text"] for row in group]),
            seed=tf.constant([row["seed"] for row in group], tf.int64),
        )["image"].numpy()
        for row, picture, other in zip(group, pictures, by_keras[start:], strict=False):
            save_png(tmp_path / "expected.png", picture, row["text"])
            assert files[row["file_name"]] == (tmp_path / "expected.png").read_bytes()
            assert np.abs(picture.astype(int) - other).max() <= 1
    assert len(files) == 12  # Ten pictures, the index and the job.


def test_interrupted_it_draws_only_what_is_missing(beam, model, tmp_path):
    folder = tmp_path / "out"
    whole = drawn(a_job(model), folder)
    gone = sorted(folder.glob("*/*.png"))[5]
    gone.unlink()
    (folder / "metadata.jsonl").unlink()
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/*.png")}
    assert drawn(a_job(model), folder) == whole
    again = {path for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert {path.name[:3] for path in again} == {"004", "006", "007"}  # The rest of its group.


def test_several_workers_draw_the_same(beam, model, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "IN_A_FOLDER", 4)
    alone = drawn(a_job(model), tmp_path / "alone")
    assert sorted({name.split("/")[0] for name in alone if "/" in name}) == [
        *("000000", "000001", "000002")
    ]
    assert drawn(a_job(model), tmp_path / "together", workers=2) == alone


def test_the_folder_is_a_data_set(beam, model, tmp_path):
    drawn(a_job(model), tmp_path / "out")
    examples = list(table.read(tmp_path / "out").examples(table.Report()))
    assert len(examples) == 10
    assert examples[0].captions == (TEXTS[0],)
    assert Image.open(examples[0].picture).size == (32, 32)


def test_a_folder_of_another_job_is_refused(model, tmp_path):
    assert not a_job(model).claim(tmp_path)
    assert not a_job(model).claim(tmp_path)
    for other in ({"seed": 4}, {"texts": TEXTS[:4]}, {"num_images": 1}, {"batch_size": 2}):
        with pytest.raises(UserError, match="holds pictures of other captions, seeds or of anoth"):
            a_job(model, **other).claim(tmp_path)
    (tmp_path / ".job.json").unlink()
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(UserError, match="is not empty; name a new or empty folder"):
        a_job(model).claim(tmp_path)


def test_captions_are_read_with_their_ids(tmp_path):
    (tmp_path / "a.txt").write_text("a bird\n\n a red bird \n")
    (tmp_path / "a.jsonl").write_text('{"id": 7, "text": "a bird"}\n{"id": "x", "text": "it"}\n')
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("key", "says"), ("k", "a bird"), ("l", "it\nhas wings")])
    found = {
        name: [(row.id, row.text) for row in job.read_captions(tmp_path / name, *columns)]
        for name, columns in {"a.txt": (), "a.jsonl": (), "a.csv": ("says", "key")}.items()
    }
    assert found == {
        "a.txt": [("0", "a bird"), ("1", "a red bird")],
        "a.jsonl": [("7", "a bird"), ("x", "it")],
        "a.csv": [("k", "a bird"), ("l", "it has wings")],
    }


def test_bad_captions_are_all_told_before_anything_is_drawn(model, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": ""}\n{"text": "a bird"}\n{"text": 7}\n{"te')
    with pytest.raises(UserError) as error:
        job.read_captions(tmp_path / "a.jsonl")
    for kind in ("empty captions (1)", "captions that are not text (1)", "malformed rows (1)"):
        assert kind in str(error.value)
    with pytest.raises(UserError, match="name the captions by --caption_column"):
        (tmp_path / "b.csv").write_text("one,two\na bird,it\n")
        job.read_captions(tmp_path / "b.csv")
    with pytest.raises(UserError, match="no column 'key'"):
        job.read_captions(tmp_path / "a.jsonl", None, "key")
    with pytest.raises(UserError, match="a word that the model knows .2.:\n  line 1: 'zorp'"):
        a_job(model, ["a bird", "zorp", "quux"]).check_words()
    warnings = a_job(model, ["a zorp bird", "it"]).check_words()
    assert warnings == ["1 words were left out: the model does not know 1 different ones (zorp)"]
    assert a_job(model).check_words() == []


def test_the_newest_version_is_taken(model, tmp_path):
    for number in (2, 10):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "saved_model.pb").touch()
    assert job.newest_version(tmp_path).name == "10"
    assert job.newest_version(model) == model
    with pytest.raises(UserError, match="no SavedModel"):
        job.newest_version(tmp_path / "2" / "variables")


def test_without_beam_it_is_one_line(model, tmp_path):
    (tmp_path / "apache_beam.py").write_text("raise ImportError('No module named apache_beam')")
    (tmp_path / "captions.txt").write_text("a bird\n")
    line = refused(
        "export.draw_captions",
        *(f"--saved_model_dir={model}", f"--captions_file={tmp_path / 'captions.txt'}"),
        f"--output_dir={tmp_path / 'out'}",
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
    )
    assert line.endswith("pip install -r requirements-beam.txt")
