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


FIGURES = {
    "variant",
    "batch",
    "median_s",
    "p95_s",
    "images_per_second",
    "fraction_of_peak",
    "size_mb",
}


def test_the_benchmark_of_inference_ends_in_a_json_line_for_each_variant():
    printed = run(
        "benchmarks.inference",
        "--config=configs/tiny.py",
        "--batch=1,3",
        "--steps=2",
        "--variants=keras,saved_model,tflite_float32",
    )
    lines = [json.loads(line) for line in printed.splitlines()[-5:]]
    assert [(line["variant"], line["batch"]) for line in lines] == [
        ("keras", 1),
        ("keras", 3),
        ("saved_model", 1),
        ("saved_model", 3),
        ("tflite_float32", 1),
    ]
    for line in lines:
        assert line.keys() == FIGURES
        assert 0 < line["median_s"] <= line["p95_s"]
        assert line["images_per_second"] == pytest.approx(line["batch"] / line["median_s"])
        assert line["fraction_of_peak"] > 0 and 1 < line["size_mb"] < 20
