"""Networks survive being saved as .keras files, and read the weights files that there are."""

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from t2i_tf.networks import convolutions
from t2i_tf.networks.discriminator import Discriminator
from t2i_tf.networks.generator import Generator
from t2i_tf.networks.image_encoder import build_image_encoder
from t2i_tf.networks.text_encoder import TextEncoder


def scramble(network, rng):
    """Gives every weight a value of its own, the running statistics too."""
    for variable in network.weights:
        low, high = (0.5, 1.5) if "variance" in variable.path else (-0.3, 0.3)
        variable.assign(rng.uniform(low, high, variable.shape))


def assert_survives(network, inputs, path, rng):
    """Saves and loads a network; it is of the same class, options, weights and outputs."""
    network(*inputs)
    scramble(network, rng)
    expected = tf.nest.flatten(network(*inputs))
    network.save(path)
    again = keras.saving.load_model(path)
    assert type(again) is type(network) and again.name == network.name
    found = tf.nest.flatten(again(*inputs))
    for value, original in zip(found, expected, strict=True):
        np.testing.assert_array_equal(value, original)
    assert [v.path for v in again.weights] == [v.path for v in network.weights]
    return again


def assert_options_survive(network, again, apart=()):
    for name, value in network.get_config().items():
        assert name in apart or again.get_config()[name] == value, name


@pytest.mark.parametrize("spectral_norm", [False, True])
@pytest.mark.parametrize(("side", "strides", "size"), [(4, 2, 4), (4, 1, 3), (16, 2, 4), (5, 2, 3)])
def test_convolutions(spectral_norm, side, strides, size, rng, tmp_path):
    inputs = keras.Input((side, side, 3))
    layer = convolutions.conv(64, size, strides, use_bias=True, spectral_norm=spectral_norm)
    model = keras.Model(inputs, layer(inputs))
    images = rng.normal(size=(2, side, side, 3)).astype("float32")
    again = assert_survives(model, (images,), tmp_path / "model.keras", rng)
    (saved,) = (found for found in again.layers if found.weights)
    assert type(saved) is type(layer) and saved.get_config() == layer.get_config()


@pytest.mark.parametrize("attention", ["textual", "none", "dual", "dual_compressed"])
@pytest.mark.parametrize("image_heads", ["all", "last"])
@pytest.mark.parametrize("normalize_sentence", [False, True])
def test_generators(attention, image_heads, normalize_sentence, rng, tmp_path):
    network = Generator(
        3,
        filters=4,
        noise_dim=6,
        condition_dim=5,
        residual_blocks=1,
        base_size=16,
        normalize_sentence=normalize_sentence,
        logvar_bias=-2.0,
        attention=attention,
        image_heads=image_heads,
        name="painter",
    )
    shapes = (2, 8), (2, 7, 8), (2, 6), (2, 5)
    sentence, words, noise, eps = (rng.normal(size=size).astype("f") for size in shapes)
    mask = np.array([[True] * 7, [True] * 3 + [False] * 4])
    inputs = sentence, words, mask, noise, eps
    again = assert_survives(network, inputs, tmp_path / "generator.keras", rng)
    assert_options_survive(network, again)


@pytest.mark.parametrize("norm", ["batch", "spectral"])
@pytest.mark.parametrize(("size", "unconditional"), [(32, True), (128, False)])
def test_discriminators(norm, size, unconditional, rng, tmp_path):
    network = Discriminator(
        size, filters=4, norm=norm, normalize_sentence=True, unconditional=unconditional
    )
    inputs = (rng.normal(size=shape).astype("f") for shape in ((2, size, size, 3), (2, 8)))
    again = assert_survives(network, tuple(inputs), tmp_path / "discriminator.keras", rng)
    assert_options_survive(network, again)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("unroll", [False, True])
def test_text_encoders(cell, unroll, rng, tmp_path):
    network = TextEncoder(20, units=8, embedding_dim=6, cell=cell, dropout=0.3, unroll=unroll)
    tokens = np.array([[3, 7, 2, 0], [5, 1, 4, 9]], "int32")
    again = assert_survives(network, (tokens,), tmp_path / "text_encoder.keras", rng)
    assert_options_survive(network, again)


@pytest.mark.parametrize("align_corners", [False, True])
def test_small_image_encoders(align_corners, rng, tmp_path):
    network = build_image_encoder(
        "small", 8, input_size=64, filters=4, align_corners=align_corners, name="image_encoder"
    )
    images = rng.uniform(-1, 1, size=(2, 48, 48, 3)).astype("f")
    again = assert_survives(network, (images,), tmp_path / "image_encoder.keras", rng)
    assert_options_survive(network, again, apart=["trunk"])
    assert again.align_corners == align_corners
    assert again.trunk.trainable


def test_a_frozen_trunk_stays_frozen(rng, tmp_path):
    small = build_image_encoder("small", 8, input_size=64, filters=4)
    network = type(small)(small.trunk, 8, 64, trainable_trunk=False)
    images = rng.uniform(-1, 1, size=(2, 64, 64, 3)).astype("f")
    again = assert_survives(network, (images,), tmp_path / "image_encoder.keras", rng)
    assert not again.trunk.trainable
    assert len(again.trainable_variables) == len(network.trainable_variables) == 3


def test_weights_files_name_the_parts_as_they_always_have(rng, tmp_path):
    """Keras names them after attributes and, in lists, classes: none may be renamed."""

    def places(network, inputs):
        network(*inputs)
        path = tmp_path / "x.weights.h5"
        network.save_weights(path)
        found = []
        with h5py.File(path) as file:
            file.visit(found.append)
            return {
                name.partition("/vars/")[0]
                for name in found
                if isinstance(file[name], h5py.Dataset)
            }

    shapes = (2, 8), (2, 7, 8), (2, 7), (2, 6), (2, 5)
    inputs = [rng.normal(size=size).astype("f") for size in shapes]
    inputs[2] = inputs[2] > -9
    generator = Generator(2, 4, 6, 5, residual_blocks=1, base_size=8)
    assert places(generator, inputs) == {
        "condition/dense",
        "heads/conv2d",
        "heads/conv2d_1",
        "initial/dense",
        "initial/norm",
        "initial/up_blocks/up_block",
        "initial/up_blocks/up_block/norm",
        "layers/attention_stage/attention/project",
        "layers/attention_stage/blocks/residual_block/conv_1",
        "layers/attention_stage/blocks/residual_block/conv_2",
        "layers/attention_stage/blocks/residual_block/norm_1",
        "layers/attention_stage/blocks/residual_block/norm_2",
        "layers/attention_stage/up",
        "layers/attention_stage/up/norm",
    }
    inputs = [rng.normal(size=size).astype("f") for size in ((2, 16, 16, 3), (2, 8))]
    assert places(Discriminator(16, filters=4), inputs) == {
        "blocks/down_block/conv",
        "blocks/down_block_1/conv",
        "blocks/down_block_1/batch_norm",
        "conditional_head",
        "joint/batch_norm",
        "joint/conv",
        "layers/conv2d",  # the unconditional head, which comes after `layers`
    }
