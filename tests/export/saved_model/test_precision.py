"""A SavedModel in bfloat16 draws what the one in float32 draws, and says what it is."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.support.errors import UserError
from export import saved_model
from export.saved_model.folding import folded
from tests.commands import run
from tests.export.saved_model.test_folding import OPTIONS, trained_generator

TEXTS = [
    "this small bird has a red crown, blue wings and a green belly",
    "a white bird with black wings",
    "the bird has a yellow belly and a brown crown",
    "a small orange bird",
]


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """The bundled model in both precisions, by precision."""
    folder = tmp_path_factory.mktemp("precision")
    return {
        precision: saved_model.export("bundled:64", folder / precision, precision=precision)
        for precision in saved_model.PRECISIONS
    }


@pytest.fixture(scope="module")
def models(versions):
    return {precision: tf.saved_model.load(str(path)) for precision, path in versions.items()}


def psnr(image, expected):
    """In decibels, of levels."""
    return 10 * np.log10(255**2 / np.mean((image.astype(float) - expected) ** 2, axis=(1, 2, 3)))


def test_bfloat16_draws_the_same_pictures(models):
    seeds = tf.range(len(TEXTS), dtype=tf.int64)
    image, expected = (
        models[precision].signatures["generate"](text=tf.constant(TEXTS), seed=seeds)["image"]
        for precision in ("bfloat16", "float32")
    )
    assert np.std(expected) > 20
    assert psnr(image.numpy(), expected.numpy()).min() > 35


def test_signatures_stay_as_they_are(models):
    wide, narrow = (models[precision].signatures for precision in saved_model.PRECISIONS)
    assert wide.keys() == narrow.keys()
    for name, signature in wide.items():
        assert signature.structured_input_signature == narrow[name].structured_input_signature
        outputs = {
            key: (spec.dtype, spec.shape) for key, spec in signature.structured_outputs.items()
        }
        for key, spec in narrow[name].structured_outputs.items():
            assert (spec.dtype, spec.shape) == outputs[key], (name, key)


def test_the_generators_weights_take_half_the_room(versions, models):
    sizes = {
        precision: sum(file.stat().st_size for file in (path / "variables").iterdir())
        for precision, path in versions.items()
    }
    assert sizes["bfloat16"] < 0.75 * sizes["float32"]
    kinds = {variable.dtype for variable in models["bfloat16"].signatures["generate"].variables}
    assert kinds == {tf.bfloat16, tf.float32}  # The text encoder's are float32.
    assert {v.dtype for v in models["float32"].signatures["generate"].variables} == {tf.float32}


def test_the_card_says_the_precision(versions):
    for precision, path in versions.items():
        card = (path / "assets.extra" / "README.md").read_text()
        assert f"## Precision: {precision}\n" in card


@pytest.mark.parametrize("name", OPTIONS)
def test_every_kind_of_generator_draws_in_bfloat16(name, rng):
    generator, inputs = trained_generator(name, rng)
    expected, drawn = generator(*inputs), folded(generator, "bfloat16")(*inputs)
    for image, other in zip(drawn["images"], expected["images"], strict=True):
        assert image.dtype == tf.float32
        assert psnr(127.5 * image.numpy(), 127.5 * other.numpy()).min() > 35


def test_unknown_precisions_are_refused(model_dir, tmp_path):
    with pytest.raises(UserError, match="precision=float16: expected one of float32, bfloat16"):
        saved_model.export(model_dir, tmp_path / "served", precision="float16")
    assert not (tmp_path / "served").exists()


def test_the_command_takes_the_precision(model_dir, tmp_path):
    run(
        "export.saved_model",
        f"--model_dir={model_dir}",
        f"--output_dir={tmp_path}",
        "--precision=bfloat16",
    )
    assert "Precision: bfloat16" in (tmp_path / "1" / "assets.extra" / "README.md").read_text()
