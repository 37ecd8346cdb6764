import numpy as np
import pytest
from keras import ops

from t2i_tf.networks import layers, stages


@pytest.fixture
def inputs(rng):
    """Features `[2, 8, 8, 4]`, words `[2, 5, 6]`, mask and condition `[2, 3]`."""
    features = rng.normal(size=(2, 8, 8, 4)).astype("float32")
    words = rng.normal(size=(2, 5, 6)).astype("float32")
    mask = np.array([[True] * 5, [True] * 2 + [False] * 3])
    return features, words, mask, rng.normal(size=(2, 3)).astype("float32")


@pytest.mark.parametrize(("activation", "units"), [("glu", 2 * 16 * 32), ("relu", 16 * 32)])
def test_the_initial_stage_reaches_its_size(activation, units):
    stage = stages.InitialStage(4, size=32, activation=activation)
    assert stage(np.zeros((2, 10), "f")).shape == (2, 32, 32, 4)
    assert stage.dense.units == units
    assert [block.filters for block in stage.up_blocks] == [16, 8, 4]


@pytest.mark.parametrize(
    "stage_class",
    [stages.AttentionStage, stages.DualAttentionStage, stages.CompressedDualAttentionStage],
)
def test_stages_that_attend_double_the_size_and_return_their_attention(stage_class, inputs):
    features, words, mask, _ = inputs
    h, attention = stage_class(4, side=8, residual_blocks=1)(features, words, mask)
    assert h.shape == (2, 16, 16, 4)
    assert attention.shape == (2, 8, 8, 5)
    np.testing.assert_allclose(ops.sum(attention, axis=-1), 1.0, rtol=1e-5)
    assert not np.any(attention.numpy()[1, :, :, 2:])


def test_a_joint_stage_reads_the_condition(inputs):
    features, _, _, condition = inputs
    stage = stages.JointStage(4, side=8, residual_blocks=1)
    h = stage(features, condition)
    assert h.shape == (2, 16, 16, 4)
    other = stage(features, condition[::-1])
    assert np.max(np.abs(h - other)) > 1e-3


def test_a_dual_stage_merges_both_attentions_by_hand(inputs):
    features, words, mask, _ = inputs
    stage = stages.DualAttentionStage(4, side=8, residual_blocks=0)
    h, attention = stage(features, words, mask)
    textual, expected_attention = stage.textual(features, words, mask)
    both = ops.concatenate([features + textual, features + stage.visual(features)], axis=-1)
    embedded = ops.matmul(both, stage.embed.kernel[0, 0])
    np.testing.assert_allclose(h, stage.up(embedded), atol=1e-5)
    np.testing.assert_array_equal(attention, expected_attention)


def test_dual_stages_use_inverted_residual_blocks():
    stage = stages.DualAttentionStage(4, side=8, residual_blocks=2)
    assert [type(block) for block in stage.blocks] == 2 * [layers.InvertedResidualBlock]
    assert [block.filters for block in stage.blocks] == [8, 8]


def test_a_compressed_dual_stage_joins_both_attentions_by_hand(inputs):
    features, words, mask, _ = inputs
    stage = stages.CompressedDualAttentionStage(4, side=8, residual_blocks=1)
    h, attention = stage(features, words, mask)
    textual, expected_attention = stage.textual(features, words, mask)
    visual = stage.spatial(stage.channel(features))
    joined = ops.concatenate([features + textual, features + visual], axis=-1)
    np.testing.assert_allclose(h, stage.up(stage.blocks[0](joined)), atol=1e-5)
    np.testing.assert_array_equal(attention, expected_attention)
    assert [type(block) for block in stage.blocks] == [layers.ResidualBlock]
