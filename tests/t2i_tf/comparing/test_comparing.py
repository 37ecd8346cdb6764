import dataclasses
import json
import shutil

import numpy as np
import pytest

from data_pipeline.support.errors import UserError
from data_pipeline.text.vocabulary import Vocabulary
from t2i_tf.comparing import measured, page
from t2i_tf.comparing.pairs import p_value, paired
from t2i_tf.metrics.figures.interval import Figure
from t2i_tf.metrics.report import DRAWN, REAL, Row
from t2i_tf.models import model_directory
from tests.commands import refused, run


@pytest.mark.parametrize("t, p", [(2.262, 0.05), (3.250, 0.01), (1.383, 0.2), (0.0, 1.0)])
def test_p_values_are_those_of_tables_with_nine_degrees_of_freedom(t, p):
    assert p_value(t) == pytest.approx(p, abs=1e-4)
    assert p_value(-t) == p_value(t)


def test_a_small_difference_shows_where_captions_are_paired(rng):
    hardness = rng.normal(size=1000)
    one = Figure.mean(hardness)
    other = Figure.mean(hardness + 0.02 + 0.05 * rng.normal(size=1000))
    difference = paired(other, one)
    assert difference.p < 0.01 and difference.interval[0] > 0
    assert one.error + other.error > difference.value  # Alone, they could not be told apart.
    assert paired(one, one).p == 1.0


def test_equal_models_differ_by_chance_only(rng):
    values = rng.normal(size=(200, 2, 100))
    found = [paired(*(Figure.mean(own) for own in pair)).p < 0.05 for pair in values]
    assert 0.01 < np.mean(found) < 0.11


@pytest.fixture
def reports(rng):
    hits = rng.random(200)
    figures = {"good<": hits + 0.5, "bad": hits + 0.01 * rng.random(200), "same": hits}
    return {
        name: {
            "pictures": {"count": 200, "size": 32},
            "figures": [
                Row("r_precision", "judge", Figure.mean(values), 200),
                Row("fid", "net", Figure.mean(-values), 200),
                Row("r_precision", "judge", Figure.mean(hits), 200, of=REAL),
                Row("diversity", "pixels", Figure.mean(values), 200),
            ],
        }
        for name, values in figures.items()
    }


def test_the_best_is_marked_by_what_is_better_of_each_figure(reports):
    pairs = list(measured.pairs(reports))
    assert len(pairs) == 6  # of three models, two figures; a diversity is not better or worse
    best = {(p.first.figure, p.names): p.better for p in pairs if "good<" in p.names}
    assert set(best.values()) == {"good<"}  # The larger R-precision, the smaller FID.
    text = page.page(reports, pairs, "bad", {}, ["A note."])
    assert text.count("★") == 3 and "good&lt; is better" in text and "good< is" not in text
    assert "A note." in text and "src=" not in text and "Difference between seeds" in text
    written = json.loads(page.as_json(reports, pairs, "bad"))
    assert written["pairs"][0]["better"] == "good<"
    assert written["models"]["same"]["figures"][0]["of"] == DRAWN


def test_models_that_cannot_be_compared_are_refused(model_dir, small_model, tmp_path):
    other = tmp_path / "other"
    vocabulary = Vocabulary(["<end>", *"abcdefghijklmnop"[: len(small_model.vocabulary) - 1]])
    model_directory.save(other, dataclasses.replace(small_model, vocabulary=vocabulary), "#\n")
    assert measured.check([str(model_dir), str(model_dir) + "/"]) == []
    (note,) = measured.check([str(model_dir), str(other)])
    assert "vocabulary of" in note and str(other) in note
    damsm = shutil.copytree(model_dir, tmp_path / "damsm")
    (damsm / "generator.weights.h5").unlink()
    for models, message in (
        ([str(model_dir)], "at least two"),
        ([str(model_dir)] * 2, "names a model twice"),
        ([str(model_dir), "bundled"], "of different sizes: .* 32 px, bundled 64 px"),
        ([str(model_dir), str(damsm)], "lacks generator.weights.h5"),
        ([str(model_dir), str(tmp_path / "none")], "there is no such folder"),
    ):
        with pytest.raises(UserError, match=message):
            measured.check(models)


def test_command_writes_one_page_that_needs_no_other_file(model_dir, tmp_path):
    copy, birds = shutil.copytree(model_dir, tmp_path / "copy"), tmp_path / "birds"
    run(
        "data_pipeline.build_tfrecords",
        "--source=synthetic",
        f"--output_dir={birds}",
        "--image_size=32",
        "--num_train=12",
        "--num_test=12",
        "--picture_size=64",
    )
    run(
        "t2i_tf.compare",
        f"--models={model_dir},{copy}",
        f"--data_dir={birds}",
        "--metrics=fid,r_precision",
        "--inception=damsm",
        "--num_images=20",
        f"--output_dir={tmp_path / 'out'}",
    )
    text = (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == 4 and "<script" not in text
    assert text.count('src="') == 4
    written = json.loads((tmp_path / "out" / "compare.json").read_text(encoding="utf-8"))
    assert all(pair["difference"] == 0 and pair["better"] is None for pair in written["pairs"])
    line = refused(
        *("t2i_tf.compare", "--models=bundled", f"--data_dir={birds}"),
        f"--output_dir={tmp_path}",
    )
    assert line.startswith("error: --models= names the models to compare, at least two")
