"""What the replicas' devices are asked to add up, in the traced step of every preset."""

import json

import pytest

from tests.commands import ROOT, run

PRESETS = sorted(file.stem for file in (ROOT / "configs").glob("c*_*.py"))


@pytest.fixture(scope="module")
def steps():
    """The collectives of each preset's step in each precision."""
    lines = run("tests.collectives").splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    assert sorted(step["preset"] for step in found) == PRESETS
    return found


def test_only_float32_is_added_up(steps):
    """GPUs of several machines add up no integers; bfloat16 would lose digits."""
    for step in steps:
        assert set(step["reduced"]) == {"float32"}, step


def test_batch_norm_asks_once_forward_and_once_backward(steps):
    """Gradients are one or a few packs of values; five all-reduces a BatchNorm call were 456."""
    (operations,) = {step["operations"] for step in steps if step["preset"] == "cub_attngan2"}
    assert 0 < operations <= 178
