"""The benchmarks run, and end in the JSON line that they promise; their figures are not judged."""

import json

import pytest

from tests.commands import run

KEYS = {
    "step_seconds",
    "images_per_second",
    "fraction_of_peak",
    "peak_memory_mb",
    "config",
    "batch",
}
SHORT = {
    "train_step": ["--steps=1", "--config.train.damsm_weight=0"],
    "input_pipeline": ["--rounds=1", "--images=20"],
}


@pytest.mark.parametrize("name", SHORT)
def test_a_benchmark_ends_in_its_json_line(name):
    printed = run(f"benchmarks.{name}", "--config=configs/tiny.py", "--batch=4", *SHORT[name])
    figures = json.loads(printed.splitlines()[-1])
    assert figures.keys() >= KEYS
    assert (figures["config"], figures["batch"]) == ("tiny", 4)
    assert figures["images_per_second"] == pytest.approx(4 / figures["step_seconds"])
    assert figures["fraction_of_peak"] > 0
