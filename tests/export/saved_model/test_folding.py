"""A folded generator draws what the trained one draws, and leaves it as it is."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from export.saved_model.drawing_blocks import DrawingBlocks, SpreadUpBlock, TransposedUpBlock
from export.saved_model.folding import _take, folded
from t2i_tf.networks import convolutions
from t2i_tf.networks.generator import Generator
from t2i_tf.networks.layers import UpBlock

OPTIONS = {
    "textual": {"residual_blocks": 2},
    "dual": {},
    "dual_compressed": {},
    "none": {},
    "last": {"attention": "textual", "image_heads": "last", "residual_blocks": 0},
}
SIZES = dict(stages=3, filters=8, noise_dim=4, condition_dim=6, base_size=16)


def trained(network, rng):
    """Gives a built network the statistics and shifts that training would have left."""
    for weight in network.weights:
        if weight.path.endswith(("moving_mean", "beta", "/scale")):
            weight.assign(rng.normal(0, 0.2, weight.shape))
        elif weight.path.endswith("moving_variance"):
            weight.assign(rng.uniform(0.3, 2, weight.shape))


def trained_generator(name, rng):
    """A generator and inputs to it."""
    generator = Generator(**SIZES, **{"attention": name, **OPTIONS[name]})
    mask = np.arange(5) < np.array([[5], [2]])
    shapes = [(2, 16), (2, 5, 16), (2, 4), (2, 6)]
    sentence, words, noise, eps = (rng.normal(size=shape).astype("float32") for shape in shapes)
    inputs = (sentence, words, mask, noise, eps)
    generator(*inputs)
    trained(generator, rng)
    return generator, inputs


def assert_equal(drawn, expected, tolerance):
    pairs = zip(tf.nest.flatten(expected), tf.nest.flatten(drawn), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(other, one, atol=tolerance)


@pytest.mark.parametrize("name", OPTIONS)
def test_pictures_and_attention_stay(name, rng):
    generator, inputs = trained_generator(name, rng)
    before = generator(*inputs)
    after = tf.function(folded(generator))(*map(tf.constant, inputs))
    assert np.std(before["images"][-1]) > 0.01
    assert_equal(after, before, 1e-5)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_trained_generator_stays_as_it_is(name, rng):
    """It can still be trained, and changes to one of the two do not show in the other."""
    generator, inputs = trained_generator(name, rng)
    before, weights = generator(*inputs), generator.get_weights()
    paths, trainable = (
        [w.path for w in ws] for ws in (generator.weights, generator.trainable_weights)
    )
    drawing = folded(generator)
    drawn = drawing(*inputs)
    for weight in drawing.weights:
        weight.assign(weight + 1.0)
    assert_equal(generator(*inputs), before, 0.0)
    for weight, old in zip(generator.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, old)
    assert [weight.path for weight in generator.weights] == paths
    assert [weight.path for weight in generator.trainable_weights] == trainable
    with tf.GradientTape() as tape:
        images = generator(*inputs, training=True)["images"]
        loss = tf.add_n([tf.reduce_sum(image) for image in images])
    gradients = tape.gradient(loss, [weight.value for weight in generator.trainable_weights])
    assert gradients and all(gradient is not None for gradient in gradients)
    drawing = folded(generator)
    generator.set_weights([np.zeros_like(weight) for weight in weights])
    assert not np.allclose(drawing(*inputs)["images"][-1], generator(*inputs)["images"][-1])
    assert np.std(drawn["images"][-1]) > 0.01


@pytest.mark.parametrize("name", OPTIONS)
def test_all_parts_are_layers(name, rng):
    """So that Keras knows every weight, and none is that of a norm."""
    generator, inputs = trained_generator(name, rng)
    drawing = folded(generator)
    parts = drawing._flatten_layers(include_self=False)
    assert len(parts) > 10
    for part in parts:
        assert isinstance(part, keras.layers.Layer)
        assert not isinstance(part, keras.layers.BatchNormalization)
        for value in vars(part).values():
            assert not isinstance(value, tf.Variable)
    for stage in drawing.refine:
        for part in (*stage.blocks, stage.up):
            assert isinstance(part, keras.layers.Layer)
    assert all(isinstance(part, keras.layers.Layer) for part in drawing.initial.up_blocks)
    assert isinstance(drawing.initial.norm, keras.layers.Layer)
    graph = tf.function(drawing).get_concrete_function(*map(tf.constant, inputs))
    known = {id(weight.value.handle) for weight in drawing.weights}
    assert known and {id(variable.handle) for variable in graph.variables} <= known


def test_no_norm_is_left_to_compute(small_config):
    generator = Generator(**small_config.generator)
    shapes = [(1, 16), (1, 5, 16), (1, 5), (1, 4), (1, 6)]
    inputs = [tf.zeros(shape) for shape in shapes]
    inputs[2] = tf.ones(shapes[2], bool)
    generator(*inputs)
    drawing = folded(generator)
    graph = tf.function(lambda: drawing(*inputs)["images"]).get_concrete_function().graph
    operations = graph.get_operations()
    assert [op for op in operations if op.type == "BiasAdd"]
    assert not [op.name for op in operations if "batchnorm" in op.name.lower()]
    assert not [op.type for op in operations if "FusedBatchNorm" in op.type]


@pytest.mark.parametrize(
    ("filters", "side", "form"), [(64, 2, SpreadUpBlock), (8, 4, TransposedUpBlock)]
)
def test_up_block_in_both_forms(filters, side, form, rng, monkeypatch):
    """Where the kernel is far larger than the image, and elsewhere."""
    monkeypatch.setattr(convolutions, "on_cpu", lambda: True)
    x = rng.normal(size=(3, side, side, 5)).astype("float32")
    block = UpBlock(filters)
    block(x)
    trained(block, rng)
    drawing = DrawingBlocks().up(filters, side, name="up")
    assert type(drawing) is form
    drawing.build(x.shape)
    _take(drawing, block)
    np.testing.assert_allclose(drawing(tf.constant(x)), block(x), atol=1e-5)
    assert drawing.compute_output_shape(x.shape) == (3, 2 * side, 2 * side, filters)
    shape = tf.TensorSpec([None, side, side, 5])
    graph = tf.function(drawing, input_signature=[shape]).get_concrete_function()
    assert graph.output_shapes.as_list() == [None, 2 * side, 2 * side, filters]
