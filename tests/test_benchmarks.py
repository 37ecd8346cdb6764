"""The benchmarks run, and end in the JSON line that they promise; their figures are not judged."""

import json

import pytest
import tensorflow as tf

from benchmarks.flops import NominalBlocks, executed_flops, nominal_image_flops
from t2i_tf.models.text_to_image import TokensToImage
from t2i_tf.networks import convolutions
from t2i_tf.networks.layers import Blocks
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
    "train_step": ["--steps=1", "--config.loss.damsm_weight=0"],
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


def flops(block, shape):
    x = tf.zeros(shape)
    block(x)
    return executed_flops(block, x)


def test_nominal_blocks_count_as_the_papers_write_them_down(monkeypatch):
    """Where the code saves: an up-block, and convolutions with more channels than pixels."""
    monkeypatch.setattr(convolutions, "on_cpu", lambda: True)
    nominal, executed = NominalBlocks(), Blocks()
    convolved = 2 * 9 * 4 * 6 * (2 * 8) ** 2
    assert flops(nominal.up(3, 8, "up"), [1, 8, 8, 4]) == convolved
    assert flops(executed.up(3, 8, "up"), [1, 8, 8, 4]) == pytest.approx(convolved / 2.25)
    convolved = 2 * 9 * 4 * 256 * 2 * 2
    for spectral_norm in (False, True):
        one, other = (b.conv(256, spectral_norm=spectral_norm) for b in (nominal, executed))
        power_iteration = 3 * 2 * 9 * 4 * 256 if spectral_norm else 0
        assert flops(one, [1, 2, 2, 4]) == convolved + power_iteration
        assert flops(other, [1, 2, 2, 4]) > flops(one, [1, 2, 2, 4])  # The patches' product.
    assert flops(nominal.conv(256, strides=2), [1, 2, 2, 4]) == convolved / 4


def test_an_image_counts_more_than_is_carried_out(small_config, small_model):
    nominal = nominal_image_flops(small_config, small_model.text_encoder)
    network = TokensToImage(small_model.text_encoder, small_model.generator)
    inputs = tf.ones([1, 6], tf.int32), tf.zeros([1, 4])
    drawn = executed_flops(lambda *row: network.from_noise(*row)["images"][-1], *inputs)
    assert drawn < nominal < 3 * drawn
