"""The LiteRT files: their pictures against Keras', their sizes and what they compute with."""

import importlib
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils

import configs
from data_pipeline.pixels import to_uint8
from data_pipeline.text.vocabulary import Vocabulary
from export import tflite
from export.tflite import convert as tflite_convert
from export.tflite import network
from export.tflite import samples as tflite_samples
from export.tflite.network import LiteBlocks
from t2i_tf.models import captions, model_directory
from t2i_tf.models.text_to_image import TokensToImage
from t2i_tf.networks import build

TEXTS = [
    "a small red bird with black wings",
    "blue",
    "this bird has a white belly and a grey crown",
]
GANS = sorted(
    path.stem
    for path in Path(configs.__path__[0]).glob("*_*.py")
    if not path.stem.startswith("_") and not path.stem.endswith("damsm")
)


def keras_pictures(model, tokens, noise):
    network = TokensToImage(model.text_encoder, model.generator)
    return to_uint8(network.from_noise(tokens, noise)["images"][-1]).numpy()


def lite_pictures(path, tokens, noise):
    draw = Interpreter(str(path)).get_signature_runner(tflite_convert.SIGNATURE)
    rows = zip(tokens, noise, strict=True)
    return np.concatenate([draw(tokens=t[None], noise=z[None])["image"] for t, z in rows])


def psnr(one, other):
    return 20 * np.log10(255 / np.sqrt(np.mean((one.astype(float) - other) ** 2)))


@pytest.mark.parametrize(
    "variant, largest, decibels",
    [("float32", 1, 60), ("float16", 3, 55), ("dynamic", 255, 35), ("int8", 255, 25)],
)
def test_pictures_equal_keras(variant, largest, decibels, phone, bundled, rng):
    max_words = bundled.config.data.max_words
    tokens = captions.encode(TEXTS, bundled.vocabulary, max_words).tokens
    noise = rng.normal(size=(3, bundled.generator.noise_dim)).astype("float32")
    expected = keras_pictures(bundled, tokens, noise)
    pictures = lite_pictures(phone[variant].path, tokens, noise)
    assert pictures.shape == expected.shape and pictures.dtype == np.uint8
    assert np.abs(pictures.astype(int) - expected).max() <= largest
    assert psnr(pictures, expected) > decibels
    assert expected.std() > 50  # Pictures, not flat grey.


@pytest.mark.parametrize("attention", ["textual", "dual", "none"])
def test_weights_lie_where_training_puts_them(attention, small_config):
    config = small_config.copy_and_resolve_references()
    config.generator.attention = attention
    trained, lite = (build.generator(config, blocks=blocks) for blocks in (None, LiteBlocks()))
    assert [weight.path for weight in lite.weights] == [weight.path for weight in trained.weights]
    for part in lite._flatten_layers(include_self=False):
        assert isinstance(part, keras.layers.Layer)
    assert {type(block) for block in lite.initial.up_blocks} == {network.UpBlock}


def test_figures_are_those_of_the_files(phone, bundled):
    (tokens, noise), _ = tflite_samples.samples(bundled, None)
    assert len(tokens) == 32
    row = phone["dynamic"]
    expected = keras_pictures(bundled, tokens, noise)
    pictures = lite_pictures(row.path, tokens, noise)
    difference = np.abs(pictures.astype(float) - expected)
    assert row.max_difference == pytest.approx(difference.max(), abs=1)
    assert row.mean_difference == pytest.approx(difference.mean(), rel=1e-2)
    assert row.psnr == pytest.approx(psnr(pictures, expected), rel=1e-2)
    assert row.size_mb == row.path.stat().st_size / 1e6
    assert row.median_s > 0


def test_table_and_json_tell_the_figures(phone):
    folder = phone["float32"].path.parent
    entries = json.loads((folder / "text_to_image.json").read_text())
    text = (folder / "text_to_image.md").read_text()
    assert [entry["variant"] for entry in entries] == list(tflite.VARIANTS) == list(phone)
    for entry, row in zip(entries, phone.values(), strict=True):
        assert (entry["path"], entry["psnr"]) == (row.path.name, row.psnr)
        assert f"| `{row.path.name}` | {row.size_mb:.2f} | {row.max_difference} |" in text
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["text_to_image.json", "text_to_image.md", *(row.path.name for row in phone.values())]
    )


def test_each_variant_is_smaller_than_float32(phone):
    full = phone["float32"].size_mb
    assert 0.4 * full < phone["float16"].size_mb < 0.6 * full
    assert max(phone["dynamic"].size_mb, phone["int8"].size_mb) < 0.4 * full


@pytest.mark.parametrize("variant", tflite.VARIANTS)
def test_signature(variant, phone, bundled):
    interpreter = Interpreter(str(phone[variant].path))
    assert list(interpreter.get_signature_list()) == ["generate_from_noise"]
    runner = interpreter.get_signature_runner()
    details = runner.get_input_details() | runner.get_output_details()
    size, config = bundled.generator.image_sizes[-1], bundled.config
    assert {name: (list(d["shape"]), d["dtype"]) for name, d in details.items()} == {
        "tokens": ([1, config.data.max_words], np.int32),
        "noise": ([1, config.generator.noise_dim], np.float32),
        "image": ([1, size, size, 3], np.uint8),
    }


def test_int8_computes_in_int8(phone):
    model = flatbuffer_utils.read_model(str(phone["int8"].path))
    tensors = model.subgraphs[0].tensors
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        if code in (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.FULLY_CONNECTED):
            used = {tensors[i].type for i in (*operator.inputs[:2], *operator.outputs)}
            assert used == {schema.TensorType.INT8}


def test_ops_beyond_the_builtin_ones_are_refused(phone):
    model = flatbuffer_utils.read_model(str(phone["float32"].path))
    content = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    tflite_convert.check_ops(content, "float32")
    code = schema.OperatorCodeT(schema.BuiltinOperator.CUSTOM, "FlexErf")
    code.builtinCode = schema.BuiltinOperator.CUSTOM
    model.operatorCodes.append(code)
    content = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    with pytest.raises(RuntimeError, match="float32 needs ops .*: FlexErf"):
        tflite_convert.check_ops(content, "float32")


@pytest.mark.parametrize("preset, cell", [*((name, "lstm") for name in GANS), (GANS[-1], "gru")])
def test_every_preset_converts(preset, cell, tmp_path, rng):
    config = importlib.import_module(f"configs.{preset}").get_config("tiny").unlock()
    config.text_encoder.cell, config.data.max_words = cell, 4
    vocabulary = Vocabulary(["<end>", *"abcdefgh"])
    model = model_directory.ModelDirectory(
        config, vocabulary, build.text_encoder(config, 9), None, build.generator(config)
    )
    for variable in model.generator.variables:
        if variable.path.endswith("/scale"):  # What spatial attention adds starts at nothing.
            variable.assign(0.5)
        if variable.path.endswith("/moving_variance"):  # A GLU halves: else the picture is grey.
            variable.assign(np.full(variable.shape, 0.25))
    model_directory.save(tmp_path / "model", model, "# A twin\n")
    tflite_convert.convert(tmp_path / "model", ["float32"], tmp_path, ())
    tokens = captions.encode(["a b c", "d"], vocabulary, config.data.max_words).tokens
    noise = rng.normal(size=(2, model.generator.noise_dim)).astype("float32")
    expected = keras_pictures(model, tokens, noise)
    pictures = lite_pictures(tmp_path / "float32.tflite", tokens, noise)
    assert pictures.shape == expected.shape and expected.std() > 5
    assert np.abs(pictures.astype(int) - expected).max() <= 1


def test_samples_are_captions_of_the_model(bundled, tmp_path):
    (compared, noise), (calibrating, _) = tflite_samples.samples(bundled, None)
    assert compared.shape == (32, 18) and calibrating.shape == (64, 18) and noise.shape == (32, 32)
    assert compared[:, 2].all() and compared.max() < len(bundled.vocabulary)
    lengths = (calibrating != 0).sum(axis=1)
    assert lengths.min() == 1 and lengths.max() > 10
    (tmp_path / "captions.txt").write_text("a red bird\nthe blue bird\n")
    (compared, _), _ = tflite_samples.samples(bundled, tmp_path / "captions.txt")
    red, blue = captions.encode(["a red bird", "the blue bird"], bundled.vocabulary, 18).tokens
    np.testing.assert_array_equal(compared[:3], [red, blue, red])


def test_samples_of_a_model_of_other_things(bundled, monkeypatch):
    monkeypatch.setattr(bundled, "vocabulary", Vocabulary(["<end>", "zorp", "blib"]))
    (compared, _), (calibrating, _) = tflite_samples.samples(bundled, None)
    tokens = np.concatenate([compared, calibrating])
    assert tokens[:, 0].all() and set(np.unique(tokens)) == {0, 1, 2}
