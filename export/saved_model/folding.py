"""From a trained generator to one that only draws, see `drawing_blocks`."""

import functools
from collections.abc import Sequence

import keras

from export.saved_model.drawing_blocks import DrawingBlocks, DrawingResidualBlock, Gated, Wide
from t2i_tf.networks import build
from t2i_tf.networks.batch_norm import fold
from t2i_tf.networks.generator import Generator
from t2i_tf.networks.initializers import blank
from t2i_tf.networks.layers import InvertedResidualBlock
from t2i_tf.networks.stages import (
    AttentionStage,
    CompressedDualAttentionStage,
    DualAttentionStage,
    InitialStage,
    JointStage,
)


def folded(generator: Generator, precision: str = "float32") -> Generator:
    """A second generator that draws the same pictures, up to rounding, for less work.

    Args:
        generator: A built generator in float32; it stays as it is.
        precision: Type of weights and features, `"float32"` (pictures within 1e-5) or `"bfloat16"`
            (40 dB and more). Inputs, images and the attention's softmax are float32 in both.

    Returns:
        A generator of `DrawingBlocks`, which can be neither trained nor saved.
    """
    config = {**generator.get_config(), "dtype": "float32"}
    with blank(), build.precision(precision):
        drawing = Generator(**config, blocks=DrawingBlocks())
        units, _ = generator.condition.dense.kernel.shape
        build.built(drawing, units, None)
    _take(drawing, generator)
    return drawing


@functools.singledispatch
def _take(own: keras.layers.Layer, trained: keras.layers.Layer) -> None:
    """Gives a layer of the drawing generator the weights of the trained one in its place."""
    own.set_weights(trained.get_weights())


def _take_all(own: Sequence[keras.layers.Layer], trained: Sequence[keras.layers.Layer]) -> None:
    for one, other in zip(own, trained, strict=True):
        _take(one, other)


@_take.register
def _(own: Generator, trained: Generator) -> None:
    _take(own.condition, trained.condition)
    _take(own.initial, trained.initial)
    _take_all(own.refine, trained.refine)
    _take_all(own.heads, trained.heads)


@_take.register
def _(own: Wide, trained: keras.layers.Layer) -> None:
    _take(own.layer, trained)


@_take.register
def _(own: InitialStage, trained: InitialStage) -> None:
    _take_pair(own, trained, "dense", "norm")
    _take_all(own.up_blocks, trained.up_blocks)


@_take.register
def _(own: AttentionStage, trained: AttentionStage) -> None:
    _take(own.attention, trained.attention)
    _take_refinement(own, trained)


@_take.register
def _(own: DualAttentionStage, trained: DualAttentionStage) -> None:
    for name in ("textual", "visual", "embed"):
        _take(getattr(own, name), getattr(trained, name))
    _take_refinement(own, trained)


@_take.register
def _(own: CompressedDualAttentionStage, trained: CompressedDualAttentionStage) -> None:
    for name in ("textual", "channel", "spatial"):
        _take(getattr(own, name), getattr(trained, name))
    _take_refinement(own, trained)


@_take.register
def _(own: JointStage, trained: JointStage) -> None:
    _take_pair(own, trained, "joint", "norm")
    _take_refinement(own, trained)


def _take_refinement(own, trained):
    """Gives a later stage the weights that all kinds of stages have."""
    _take_all(own.blocks, trained.blocks)
    _take(own.up, trained.up)


@_take.register
def _(own: Gated, trained: keras.layers.Layer) -> None:  # an up-block
    own.take(*fold(trained.kernel, trained.norm))


@_take.register
def _(own: DrawingResidualBlock, trained: keras.layers.Layer) -> None:
    own.gated.take(*fold(trained.conv_1.kernel, trained.norm_1))
    kernel, bias = fold(trained.conv_2.kernel, trained.norm_2)
    own.conv.set_weights([kernel])
    own.norm.set_weights([bias])


@_take.register
def _(own: InvertedResidualBlock, trained: InvertedResidualBlock) -> None:
    for i, layer in enumerate(("expand", "depthwise", "project"), start=1):
        _take_pair(own, trained, layer, f"norm_{i}")


def _take_pair(own, trained, layer, norm):
    """Folds a norm into the layer before it: the pair becomes a layer and a bias."""
    kernel, bias = fold(getattr(trained, layer).kernel, getattr(trained, norm))
    getattr(own, layer).set_weights([kernel])
    getattr(own, norm).set_weights([bias])
