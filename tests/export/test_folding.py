"""A folded generator draws what it drew before."""

import numpy as np
import pytest
import tensorflow as tf

from export import folding
from t2i_tf.layers import UpBlock
from t2i_tf.networks.generator import Generator

OPTIONS = {
    "textual": {"residual_blocks": 2},
    "dual": {},
    "none": {},
    "last": {"attention": "textual", "image_heads": "last", "residual_blocks": 0},
}


def trained(network, rng):
    """Gives a built network the statistics and shifts that training would have left."""
    for weight in network.weights:
        if weight.path.endswith(("moving_mean", "beta")):
            weight.assign(rng.normal(0, 0.2, weight.shape))
        elif weight.path.endswith("moving_variance"):
            weight.assign(rng.uniform(0.3, 2, weight.shape))


@pytest.mark.parametrize("name", OPTIONS)
def test_pictures_and_attention_stay(name, rng):
    options = {"attention": name, **OPTIONS[name]}
    sizes = dict(stages=3, filters=8, noise_dim=4, condition_dim=6, base_size=16)
    generator = Generator(**sizes, **options)
    mask = np.arange(5) < np.array([[5], [2]])
    shapes = [(2, 16), (2, 5, 16), (2, 4), (2, 6)]
    sentence, words, noise, eps = (rng.normal(size=shape).astype("float32") for shape in shapes)
    inputs = (sentence, words, mask, noise, eps)
    generator(*inputs)
    trained(generator, rng)
    before = generator(*inputs)
    folding.fold(generator)
    after = tf.function(generator)(*map(tf.constant, inputs))
    assert np.std(before["images"][-1]) > 0.01
    for one, other in zip(tf.nest.flatten(before), tf.nest.flatten(after), strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5)


def test_no_norm_is_left_to_compute(small_config):
    generator = Generator(**small_config.generator)
    shapes = [(1, 16), (1, 5, 16), (1, 5), (1, 4), (1, 6)]
    inputs = [tf.zeros(shape) for shape in shapes]
    inputs[2] = tf.ones(shapes[2], bool)
    generator(*inputs)
    folding.fold(generator)
    graph = tf.function(lambda: generator(*inputs)["images"]).get_concrete_function().graph
    names = [op.name for op in graph.get_operations()]
    assert not [name for name in names if "batchnorm" in name]


@pytest.mark.parametrize(("filters", "side"), [(64, 2), (8, 4)])
def test_up_block_in_both_forms(filters, side, rng):
    """Where the kernel is far larger than the image, and elsewhere."""
    x = rng.normal(size=(3, side, side, 5)).astype("float32")
    block = UpBlock(filters)
    block(x)
    trained(block, rng)
    folded = folding._up_block(block, side)
    form = folding._spread if side == 2 else folding._transposed
    assert folded.convolve is form
    np.testing.assert_allclose(folded(tf.constant(x)), block(x), atol=1e-5)
    shape = tf.TensorSpec([None, side, side, 5])
    graph = tf.function(folded, input_signature=[shape]).get_concrete_function()
    assert graph.output_shapes.as_list() == [None, 2 * side, 2 * side, filters]
