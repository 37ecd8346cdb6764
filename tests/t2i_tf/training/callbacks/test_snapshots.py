import json
from pathlib import Path

import pytest

from data_pipeline.support.errors import UserError
from t2i_tf.metrics.features import Extractor
from t2i_tf.train import _best
from t2i_tf.training.callbacks import Best, Snapshots
from t2i_tf.training.callbacks.snapshots import kept
from t2i_tf.training.callbacks.watching import ScorePlan


@pytest.fixture
def run(tmp_path):
    """Ends intervals of 5 steps with the given figures; returns what was written."""

    def write(folder: Path, step: int) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "step").write_text(str(step))

    def go(figures, every=0, best=None, start=0):
        snapshots = Snapshots(tmp_path, write, 5, every, best)
        for number, own in enumerate(figures, start=start + 1):
            assert snapshots.note(5 * number, own) == {}
            snapshots.keep(5 * number)
        return tmp_path

    return go


def test_every_few_checkpoints_are_kept(run):
    folder = run([{}] * 7, every=3)
    assert {step: path.name for step, path in kept(folder).items()} == {
        15: "step_0000015",
        30: "step_0000030",
    }
    assert not (folder / "best").exists() and not (folder / "best.json").exists()


@pytest.mark.parametrize("lower, step, value", [(True, 15, 2.0), (False, 10, 9.0)])
def test_the_best_is_kept_and_named(run, lower, step, value):
    figures = [{"fid": 5.0}, {"fid": 9.0}, {"fid": 2.0}, {}, {"fid": float("nan")}, {"fid": 4.0}]
    folder = run(figures, best=Best("fid", lower))
    assert (folder / "best" / "step").read_text() == str(step)
    best = json.loads((folder / "best.json").read_text())
    assert best == {"figure": "fid", "value": value, "step": step}
    assert kept(folder) == {step: folder / "best"}


def test_a_resumed_run_keeps_its_best(run):
    run([{"fid": 1.0}], best=Best("fid", True))
    folder = run([{"fid": 3.0}], best=Best("fid", True), start=1)
    assert (folder / "best" / "step").read_text() == "5"
    run([{"r": 0.1}], best=Best("r", False), start=2)  # another figure begins anew
    assert (folder / "best" / "step").read_text() == "15"


def test_figures_that_no_score_gives_are_refused():
    extractor = Extractor("damsm", "", "", "", "", 3, 0, None)
    plan = ScorePlan([extractor], images=20, every=1)
    assert _best(None, plan) is None
    assert _best("fid", plan) == Best("score_fid_damsm", lower=True)
    assert _best("r_precision", plan) == Best("score_r_precision", lower=False)
    with pytest.raises(UserError, match="--score_every=0 measures none"):
        _best("fid", None)
    with pytest.raises(UserError, match="knows classes, unlike damsm"):
        _best("inception_score", plan)
