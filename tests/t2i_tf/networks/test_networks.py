import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from t2i_tf.networks.discriminator import Discriminator
from t2i_tf.networks.generator import Generator
from t2i_tf.networks.image_encoder import (
    AveragePoolingWithPadding,
    build_image_encoder,
    resize_bilinear,
)
from t2i_tf.networks.text_encoder import TextEncoder
from tests.parity.fixture import published_models


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_text_encoder_ignores_padding(cell, unroll):
    encoder = TextEncoder(20, units=8, embedding_dim=6, cell=cell, unroll=unroll)
    tokens = np.array([[3, 7, 2, 0, 0], [5, 1, 4, 9, 8]], "int32")
    words, sentence = encoder(tokens)
    assert words.shape == (2, 5, 8)
    assert np.all(np.array(words)[0, 3:] == 0)
    alone_words, alone_sentence = encoder(tokens[:1, :3])
    np.testing.assert_allclose(words[:1, :3], alone_words, atol=1e-6)
    np.testing.assert_allclose(sentence[:1], alone_sentence, atol=1e-6)


def operations_of(function):
    return function.get_concrete_function().graph.get_operations()


def test_sentence_is_both_directions_last_state():
    encoder = TextEncoder(20, units=8, embedding_dim=6)
    words, sentence = encoder(np.array([[3, 7, 2, 0]], "int32"))
    np.testing.assert_allclose(sentence[0, :4], words[0, 2, :4], atol=1e-6)
    np.testing.assert_allclose(sentence[0, 4:], words[0, 0, 4:], atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_gpu_runs_no_loop_over_a_known_number_of_words(cell, monkeypatch):
    encoder = TextEncoder(20, units=8, embedding_dim=6, cell=cell)
    tokens = np.array([[3, 7, 2, 0], [5, 1, 4, 9]], "int32")
    found = []
    for gpus, words in ([], 4), (["gpu:0"], None), (["gpu:0"], 4):
        monkeypatch.setattr(keras.distribution, "list_devices", lambda kind, gpus=gpus: gpus)
        encode = tf.function(encoder, [tf.TensorSpec([None, words], tf.int32)], autograph=False)
        operations = {operation.type for operation in operations_of(encode)}
        loops = bool({"While", "StatelessWhile"} & operations)
        assert loops == (not gpus or words is None)
        found.append(encode(tokens))
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


def test_an_unknown_number_of_words_cannot_be_unrolled():
    encoder = TextEncoder(20, units=8, embedding_dim=6, unroll=True)
    encode = tf.function(encoder, [tf.TensorSpec([None, None], tf.int32)], autograph=False)
    with pytest.raises(ValueError, match="Cannot unroll"):
        encode.get_concrete_function()


def test_unknown_cell_is_refused():
    with pytest.raises(ValueError, match="cell must be one of"):
        TextEncoder(20, cell="rnn")


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_generator_draws_an_image_a_stage(stages, rng):
    generator = Generator(
        stages, filters=4, noise_dim=6, condition_dim=5, residual_blocks=1, base_size=16
    )
    mask = np.array([[True] * 7, [True] * 3 + [False] * 4])
    drawn = generator(
        *(rng.normal(size=size).astype("f") for size in ((2, 8), (2, 7, 8))),
        mask,
        *(rng.normal(size=size).astype("f") for size in ((2, 6), (2, 5))),
    )
    sizes = [16 * 2**i for i in range(stages)]
    assert generator.image_sizes == tuple(sizes)
    assert [image.shape for image in drawn["images"]] == [(2, s, s, 3) for s in sizes]
    assert [m.shape for m in drawn["attention"]] == [(2, s, s, 7) for s in sizes[:-1]]
    assert all(np.abs(image).max() <= 1 for image in drawn["images"])


@pytest.mark.parametrize("norm", ["batch", "spectral"])
@pytest.mark.parametrize("size", [32, 64, 128])
def test_discriminator_ends_in_8_df_channels_and_two_logits(size, norm, rng):
    network = Discriminator(size, filters=2, norm=norm)
    images = rng.normal(size=(3, size, size, 3)).astype("f")
    alone, joint = network(images, rng.normal(size=(3, 8)).astype("f"))
    assert alone.shape == joint.shape == (3,)
    assert network.features(images).shape == (3, 4, 4, min(2 * size // 8, 16))


def test_networks_survive_saving(rng, tmp_path):
    encoder = TextEncoder(20, units=8, embedding_dim=6)
    tokens = np.array([[3, 7, 2, 0]], "int32")
    words, _ = encoder(tokens)
    encoder.save_weights(tmp_path / "text.weights.h5")
    again = TextEncoder.from_config(encoder.get_config())
    again(tokens)
    again.load_weights(tmp_path / "text.weights.h5")
    np.testing.assert_array_equal(words, again(tokens)[0])


def test_small_image_encoder_resizes_what_it_is_given(rng):
    encoder = build_image_encoder("small", 8, input_size=64, filters=4)
    regions, code = encoder(rng.uniform(-1, 1, size=(2, 96, 96, 3)).astype("f"))
    assert regions.shape == (2, 8, 8, 8)
    assert code.shape == (2, 8)


def test_average_pooling_counts_the_padding():
    pooled = AveragePoolingWithPadding()(np.ones((1, 3, 3, 1), "f"))
    np.testing.assert_allclose(pooled[0, :, :, 0] * 9, [[4, 6, 4], [6, 9, 6], [4, 6, 4]], rtol=1e-6)


@pytest.mark.parametrize(
    "align_corners, row",
    [(True, [0, 1, 2, 3, 4, 5, 6]), (False, [0, 5 / 7, 13 / 7, 3, 29 / 7, 37 / 7, 6])],
)
def test_bilinear_resize_by_hand(align_corners, row):
    images = tf.broadcast_to(tf.constant([0.0, 2.0, 4.0, 6.0])[:, None], (1, 4, 4, 1))
    with tf.GradientTape() as tape:
        tape.watch(images)
        resized = resize_bilinear(images, 7, align_corners)
    np.testing.assert_allclose(resized[0, :, :, 0], np.broadcast_to(row, (7, 7)), atol=1e-5)
    # Every new pixel is a mean of old ones.
    np.testing.assert_allclose(tf.reduce_sum(tape.gradient(resized, images)), 7 * 7, rtol=1e-6)
    assert resize_bilinear(images, 4, align_corners) is images


@pytest.fixture(scope="module")
def inception():
    encoder = build_image_encoder("inception_v3", 16, weights="random", align_corners=True)
    encoder(keras.Input((64, 64, 3)))
    return encoder


@pytest.fixture(scope="module")
def keras_inception(tmp_path_factory):
    """Keras' Inception v3 with random weights and statistics, and their file."""
    network = keras.applications.InceptionV3(include_top=False, weights=None)
    rng = np.random.default_rng(0)
    for variable in network.non_trainable_variables:
        variable.assign(rng.uniform(0.5, 1.5, size=variable.shape))
    file = tmp_path_factory.mktemp("inception") / "inception.weights.h5"
    network.save_weights(file)
    return network, file


def in_order_of_creation(network, kind):
    """Keras numbers the layers that it names itself."""
    layers = [layer for layer in network.layers if isinstance(layer, kind)]
    return sorted(layers, key=lambda layer: int("0" + re.search(r"_?(\d*)$", layer.name)[1]))


@pytest.mark.parametrize("source", ["file", "imagenet"])
def test_inception_takes_keras_weights(source, keras_inception, monkeypatch):
    network, file = keras_inception
    published = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
    monkeypatch.setattr(
        "keras.src.utils.file_utils.get_file", lambda name, *_, **__: {published: str(file)}[name]
    )
    weights = str(file) if source == "file" else "imagenet"
    encoder = build_image_encoder("inception_v3", 16, weights=weights)
    layers = encoder.trunk.get_layer
    keys = published_models()["image_encoder (CNN_ENCODER(256))"]
    names = [key.removesuffix(".weight") for key in keys if key.endswith("conv.weight")]
    for name, layer in zip(names, in_order_of_creation(network, keras.layers.Conv2D), strict=True):
        np.testing.assert_array_equal(layers(name).kernel, layer.kernel)
    norms = in_order_of_creation(network, keras.layers.BatchNormalization)
    for name, layer in zip(names, norms, strict=True):
        norm = layers(name.removesuffix("conv") + "bn")
        np.testing.assert_array_equal(norm.moving_mean, layer.moving_mean)
        np.testing.assert_array_equal(norm.moving_variance, layer.moving_variance)
        assert np.all(norm.gamma == 1)
    # The first convolutions come before any pooling that torchvision does differently.
    images = np.random.default_rng(1).uniform(-1, 1, size=(1, 299, 299, 3)).astype("f")
    same = keras.Model(encoder.trunk.input, layers("Conv2d_2b_3x3").output)
    stem = in_order_of_creation(network, keras.layers.Activation)[2]
    expected = keras.Model(network.input, stem.output)(images)
    np.testing.assert_allclose(same(images), expected, atol=1e-5)


def test_inception_survives_saving(inception, tmp_path):
    inception.save_weights(tmp_path / "image.weights.h5")
    again = build_image_encoder("inception_v3", 16, weights="random", align_corners=True)
    again(keras.Input((64, 64, 3)))
    again.load_weights(tmp_path / "image.weights.h5")
    for mine, loaded in zip(inception.variables, again.variables, strict=True):
        np.testing.assert_array_equal(mine, loaded)
    assert [v.path for v in inception.trunk.variables] == [v.path for v in again.trunk.variables]


def test_inception_encoder_has_the_published_shapes(inception, rng):
    regions, code = inception(rng.uniform(-1, 1, size=(1, 64, 64, 3)).astype("f"))
    assert regions.shape == (1, 17, 17, 16)
    assert code.shape == (1, 16)
    assert inception.trunk.output_shape == [(None, 17, 17, 768), (None, 2048)]
    assert [v.path for v in inception.trainable_variables] == [
        v.path for layer in (inception.regions, inception.code) for v in layer.trainable_variables
    ]


@pytest.mark.parametrize("attention", ["textual", "none", "dual", "dual_compressed"])
@pytest.mark.parametrize("image_heads", ["all", "last"])
def test_every_kind_of_generator_draws_and_attends(attention, image_heads, rng):
    generator = Generator(
        3,
        filters=4,
        noise_dim=6,
        condition_dim=5,
        residual_blocks=1,
        base_size=16,
        attention=attention,
        image_heads=image_heads,
    )
    shapes = (2, 8), (2, 7, 8), (2, 7), (2, 6), (2, 5)
    sentence, words, mask, noise, eps = (rng.normal(size=size).astype("f") for size in shapes)
    drawn = generator(sentence, words, mask > -5, noise, eps)
    sizes = (16, 32, 64) if image_heads == "all" else (64,)
    assert generator.image_sizes == sizes
    assert [image.shape for image in drawn["images"]] == [(2, s, s, 3) for s in sizes]
    attended = [] if attention == "none" else [16, 32]
    assert [m.shape for m in drawn["attention"]] == [(2, s, s, 7) for s in attended]
    again = Generator.from_config(generator.get_config())
    again(sentence, words, mask > -5, noise, eps)
    assert again.count_params() == generator.count_params()


@pytest.mark.parametrize("option", [dict(attention="words"), dict(image_heads="first")])
def test_unknown_generator_options_are_refused(option):
    with pytest.raises(ValueError, match=f"{next(iter(option))} must be one of"):
        Generator(**option)


def test_a_discriminator_may_go_without_its_unconditional_head(rng):
    network = Discriminator(32, filters=2, unconditional=False)
    images, sentence = (rng.normal(size=s).astype("f") for s in ((3, 32, 32, 3), (3, 8)))
    (joint,) = network(images, sentence)
    assert joint.shape == (3,)
    assert network.unconditional(network.features(images)) is None
    assert not network.get_config()["unconditional"]
