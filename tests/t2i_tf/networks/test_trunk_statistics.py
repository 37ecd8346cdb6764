"""The statistics of a frozen trunk's BatchNorm: kept, or those of the batch in training."""

import keras
import numpy as np
import pytest

from t2i_tf.models import model_directory
from t2i_tf.networks.image_encoder import ImageEncoder, build_image_encoder, small_trunk


def encoder(**options):
    network = ImageEncoder(small_trunk(64, 4), 8, 64, trainable_trunk=False, **options)
    network(keras.Input((64, 64, 3)))
    return network


def names(variables):
    return [v.path.rpartition("image_encoder/")[2] for v in variables]


def statistics(network):
    return [v.numpy() for v in network.trunk.variables if "moving_" in v.path]


def assert_equal(arrays, others):
    for array, other in zip(arrays, others, strict=True):
        np.testing.assert_array_equal(array, other)


@pytest.fixture
def images(rng):
    return rng.uniform(-1, 1, size=(3, 64, 64, 3)).astype("f")


@pytest.mark.parametrize("follows", [False, True])
def test_a_frozen_trunk_s_weights_are_never_trained(follows):
    network = encoder(batch_statistics=follows)
    projections = [*network.regions.trainable_variables, *network.code.trainable_variables]
    assert names(network.trainable_variables) == names(projections)


def test_a_frozen_trunk_keeps_its_statistics(images):
    network = encoder()
    before = statistics(network)
    np.testing.assert_array_equal(network(images, training=True)[0], network(images)[0])
    assert_equal(before, statistics(network))


def test_statistics_of_the_batch_are_a_trainable_trunk_s(images):
    network = encoder(batch_statistics=True)
    trained = ImageEncoder(small_trunk(64, 4), 8, 64)
    trained(keras.Input((64, 64, 3)))
    trained.set_weights(network.get_weights())
    assert_equal(network(images, training=True), trained(images, training=True))
    assert_equal(statistics(network), statistics(trained))
    running = network(images)
    assert np.abs(running[0] - network(images, training=True)[0]).max() > 1e-3


def test_what_freezes_the_encoder_freezes_its_statistics(images):
    """As AttnGAN does with the encoders of a DAMSM that has just been trained."""
    network = encoder(batch_statistics=True)
    network.trainable = False
    before = statistics(network)
    np.testing.assert_array_equal(network(images, training=True)[0], network(images)[0])
    assert_equal(before, statistics(network))


def test_its_config_makes_it_again(images):
    network = encoder(batch_statistics=True)
    again = ImageEncoder.from_config(network.get_config())
    again(keras.Input((64, 64, 3)))
    again.set_weights(network.get_weights())
    assert names(again.trainable_variables) == names(network.trainable_variables)
    assert_equal(again(images, training=True), network(images, training=True))


def test_inception_s_statistics_follow_as_torchvision_s(images):
    network = build_image_encoder("inception_v3", 8, weights="random", batch_statistics=True)
    network(keras.Input((299, 299, 3)))
    assert [v.shape for v in network.trainable_variables] == [(1, 1, 768, 8), (2048, 8), (8,)]
    norms = [layer for layer in network.trunk.layers if layer.name.endswith(".bn")]
    assert {(norm.momentum, norm.epsilon) for norm in norms} == {(0.9, 1e-3)}
    first = network.trunk.get_layer("Conv2d_1a_3x3.conv").output
    convolved = keras.Model(network.trunk.input, first)
    resized = keras.ops.image.resize(images, (299, 299))
    expected = 0.1 * np.mean(convolved(resized), axis=(0, 1, 2))
    network(images, training=True)
    np.testing.assert_allclose(
        network.trunk.get_layer("Conv2d_1a_3x3.bn").moving_mean, expected, atol=1e-6
    )


def test_a_folded_encoder_gives_the_same_codes_without_norms(images, rng):
    network = encoder()
    for variable in network.trunk.variables:
        if "norm" in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    folded = network.folded()
    for ours, theirs in zip(folded(images), network(images), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert not any("norm" in variable.path for variable in folded.variables)
    assert not folded.trainable_variables


def test_a_loaded_encoder_folds(images, model_dir):
    network = model_directory.load(model_dir, need=("image_encoder",)).image_encoder
    for ours, theirs in zip(network.folded()(images), network(images), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
