import copy
import dataclasses
import json
import re

import numpy as np
import pytest
from PIL import Image

from data_pipeline import builder, synthetic
from data_pipeline.sources import cub
from data_pipeline.support.errors import UserError
from export import saved_model
from export.quickstart import figures, report
from export.quickstart.generators import SavedGenerator
from t2i_tf.models import layout, model_directory

FIGURES = {
    "r_precision",
    "r_precision_permuted",
    "faithfulness",
    "faithfulness_belly",
    "faithfulness_wing",
    "faithfulness_crown",
}
MODEL_FIGURES = FIGURES | {"recall_at_1", "recall_at_5", "seed_std"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("birds")
    synthetic.write(folder / "raw", num_train=12, num_test=10, variety="plain", picture_size=64)
    raw = cub.read(folder / "raw")
    builder.build(raw, folder / "data", dataset="synthetic", image_size=32, num_shards=1)
    return folder / "data"


@pytest.fixture(scope="module")
def runs(small_model, tmp_path_factory):
    """A run of DAMSM and one of the GAN, of random weights, and the export of the second."""
    folder = tmp_path_factory.mktemp("runs")
    config = copy.deepcopy(small_model.config)
    config.train = dict(steps=4, batch_size=2)
    model = dataclasses.replace(small_model, config=config)
    entries = [
        {"step": 2, "loss": 2.0, "word_loss": 1.0, "seconds_per_step": 9.0},
        {"step": 4, "loss": 1.0, "word_loss": 0.5, "seconds_per_step": 1.0},
    ]
    for name in ("damsm", "gan"):
        model_directory.save(folder / name / "model", model, "# Random\n")
        lines = "".join(json.dumps(entry) + "\n" for entry in entries)
        (folder / name / "metrics.jsonl").write_text(lines)
    saved_model.export(folder / "gan", folder / "served")
    return folder


@pytest.fixture(scope="module")
def inputs(data_dir, runs):
    return report.Inputs(
        data_dir=data_dir,
        damsm=runs / "damsm" / "model",
        workdir=runs / "gan",
        trained=runs / "served" / "1",
        bundled=runs / "served",
        bundled_model=runs / "gan",
        num_captions=8,
    )


@pytest.fixture(scope="module")
def written(inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    report.write(inputs, folder, started=0.0)
    return folder


def test_figures_have_their_floor_and_ceiling(written):
    content = json.loads((written / "report.json").read_text())
    for name in ("trained", "bundled", "floor"):
        assert content[name].keys() >= MODEL_FIGURES, name
    assert content["ceiling"].keys() >= FIGURES
    assert content["floor"]["chance"]["faithfulness"] == pytest.approx(1 / 9)
    assert content["floor"]["chance"]["r_precision"] == pytest.approx(
        1 / (1 + content["judged"]["wrong_captions"])
    )
    for figure in FIGURES:
        floors = [content["floor"][name][figure] for name in ("colour_noise", "untrained")]
        assert content["floor"][figure] == max(floors)
    assert content["judged"]["captions"] == 8
    assert content["seconds_per_step"] == {"damsm": 1.0, "gan": 1.0}
    assert [entry["step"] for entry in content["losses"]["gan"]] == [2, 4]
    assert content["minutes"] > 1e6  # since 1970


def test_the_same_model_gets_the_same_figures(written):
    """The SavedModels are one, and so are their judges."""
    content = json.loads((written / "report.json").read_text())
    assert content["trained"] == content["bundled"]
    trained = content["trained"]
    assert trained["r_precision"] == trained["r_precision_independent"]


def test_the_page_shows_pictures_that_are_there(written):
    page = (written / "report.md").read_text()
    links = re.findall(r"!\[.+?\]\((.+?)\)", page)
    assert len(links) == 5
    for link in links:
        with Image.open(written / link) as picture:
            picture.load()
    assert not re.search(r"[{}]|nan|None", page)
    assert "R-precision, colours permuted |" in page
    assert "t2i_tf.generate" in page
    assert not [path for path in written.rglob("*") if ".partial" in path.name]


def test_the_classifier_is_kept(written, inputs, monkeypatch):
    before = json.loads((written / "report.json").read_text())

    def fail(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr("t2i_tf.metrics.faithfulness.Reader.fit", fail)
    again = report.write(inputs, written, started=None)
    assert again["ceiling"] == before["ceiling"]
    assert again["minutes"] is None
    assert "minutes" not in (written / "report.md").read_text()


def test_a_missing_run_is_named(inputs, tmp_path):
    with pytest.raises(UserError, match="no model directory"):
        report.write(dataclasses.replace(inputs, damsm=tmp_path / "nothing"), tmp_path, None)
    with pytest.raises(UserError, match="is no run of the gan"):
        figures.training({"gan": tmp_path})
    with pytest.raises(UserError, match="holds no SavedModel"):
        SavedGenerator(tmp_path, None)


def test_the_newest_version_is_taken(runs):
    assert SavedGenerator(runs / "served", None).path == runs / "served" / "1"


def test_plots_have_round_ticks_that_span_the_values():
    assert layout._ticks(0.0, 900) == [0, 200, 400, 600, 800, 1000]
    assert layout._ticks(0.0, 0.31) == [0, 0.1, 0.2, 0.3, 0.4]
    assert layout._ticks(-1.5, 3.0)[0] <= -1.5
    assert len(layout._ticks(2.0, 2.0)) >= 2


def test_sheets_hold_all_rows(rng):
    pictures = rng.integers(0, 256, (2, 3, 16, 16, 3), np.uint8)
    attention = [rng.random((8, 8, 4)), rng.random((8, 8, 4))]
    words = [["a", "red", "bird"], ["this", "is", "a", "bird"]]
    sheet = layout.samples_sheet(["a red bird", "this"], pictures, pictures[:, 0], attention, words)
    assert sheet.width > 4 * layout.TILE and sheet.height > 2 * (layout.TILE + layout.SMALL_TILE)
    rows = [("first", [("x", pictures[0, 0])] * 5), ("second", [("y", pictures[0, 1])])]
    sheet = layout.labelled_rows(rows)
    assert sheet.width > 5 * layout.TILE and sheet.height > 2 * layout.TILE
