"""Counts the floating-point operations of a step from its graph.

Networks of `NominalBlocks` carry out each convolution as the papers write it down; the graph of one
that is built of them, with weights of zeros (`blank`), tells the step's nominal count.
"""

import math
from collections.abc import Callable, Mapping

import keras
import tensorflow as tf
from keras import ops
from ml_collections import ConfigDict

from t2i_tf.models.text_to_image import TokensToImage
from t2i_tf.networks import build, convolutions, layers
from t2i_tf.networks.initializers import blank
from t2i_tf.training.build import build_attngan


def executed_flops(step: Callable, *inputs: object) -> int:
    """Counts the multiplications and additions of a step's convolutions and matrix products.

    Args:
        step: A function of tensors that `tf.function` can trace.
        *inputs: Its arguments.

    Returns:
        Their number, two for a multiply-add. Padding counts as the rest; ops whose results are not
        used, and those inside loops (the text encoder's recurrence), do not count.
    """
    graph = tf.function(step, autograph=False).get_concrete_function(*inputs).graph
    return sum(_COUNTS[op.type](op) for op in _used(graph) if op.type in _COUNTS)


def nominal_image_flops(config: ConfigDict, text_encoder: keras.Model) -> int:
    """Counts one image of a model as the papers write it down, as `executed_flops` counts.

    Args:
        config: The model's config.
        text_encoder: Its text encoder.
    """
    with blank():
        network = TokensToImage(text_encoder, build.generator(config, blocks=NominalBlocks()))
    tokens = tf.ones([1, config.data.max_words], tf.int32)
    noise = tf.zeros([1, network.generator.noise_dim])
    return executed_flops(lambda *inputs: network.from_noise(*inputs)["images"][-1], tokens, noise)


def nominal_step_flops(
    config: ConfigDict, encoders: tuple[keras.Model, keras.Model], batch: Mapping
) -> int:
    """Counts one training step of a GAN as the papers write it down.

    Args:
        config: The run's config.
        encoders: (text encoder, image encoder).
        batch: As `train_step` takes it.
    """
    with blank():
        model = build_attngan(config, encoders, NominalBlocks())
    return executed_flops(model.train_step, batch)


class NominalBlocks(layers.Blocks):
    """Makes blocks that convolve as the papers write it down."""

    def conv(
        self,
        filters: int,
        kernel_size: int = 3,
        strides: int = 1,
        use_bias: bool = False,
        spectral_norm: bool = False,
        **kwargs,
    ) -> keras.layers.Layer:
        """A convolution that is never a matrix product."""
        form = SpectralConv2D if spectral_norm else Conv2D
        return form(filters, kernel_size, strides, use_bias, **kwargs)

    def up(self, filters: int, side: int, name: str) -> "UpBlock":
        """An up-block that convolves the upsampled features."""
        return UpBlock(filters, name=name)


class Conv2D(convolutions.Conv2D):
    """A plain convolution."""

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return _convolve(inputs, kernel, self.strides[0])


class SpectralConv2D(convolutions.SpectralConv2D):
    """A plain convolution with a spectrally normalised kernel."""

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return _convolve(inputs, kernel, self.strides)


class UpBlock(layers.UpBlock):
    """Nearest upsampling, then a plain convolution."""

    def upsampled_conv(self, x: tf.Tensor) -> tf.Tensor:
        return _convolve(ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2), self.kernel)


def _convolve(x, kernel, strides=1):
    return ops.conv(x, ops.cast(kernel, x.dtype), strides=strides, padding="same")


def _used(graph):
    """The ops that the graph's outputs and side effects need."""
    waiting = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    used = set()
    while waiting:
        op = waiting.pop()
        if op not in used:
            used.add(op)
            waiting += [tensor.op for tensor in op.inputs] + list(op.control_inputs)
    return used


def _convolution(output, kernel):
    """Twice the outputs times the products in each; `kernel` is `[h, w, in, out]`."""
    return 2 * math.prod(output.shape) * math.prod(kernel.shape[:3])


def _einsum(op):
    labels = op.get_attr("equation").decode().split("->")[0].split(",")
    sides = {}
    for names, tensor in zip(labels, op.inputs, strict=True):
        sides |= zip(names, tensor.shape, strict=True)
    return 2 * math.prod(sides.values())


def _matrix_product(transposed):
    def count(op):
        summed = op.inputs[0].shape[-2 if op.get_attr(transposed) else -1]
        return 2 * math.prod(op.outputs[0].shape) * summed

    return count


_COUNTS = {
    "Conv2D": lambda op: _convolution(op.outputs[0], op.inputs[1]),
    "Conv2DBackpropInput": lambda op: _convolution(op.inputs[2], op.inputs[1]),
    "Conv2DBackpropFilter": lambda op: _convolution(op.inputs[2], op.outputs[0]),
    "DepthwiseConv2dNative": lambda op: _depthwise(op.outputs[0], op.inputs[1]),
    "DepthwiseConv2dNativeBackpropInput": lambda op: _depthwise(op.inputs[2], op.inputs[1]),
    "DepthwiseConv2dNativeBackpropFilter": lambda op: _depthwise(op.inputs[2], op.outputs[0]),
    "MatMul": _matrix_product("transpose_a"),
    "BatchMatMulV2": _matrix_product("adj_x"),
    "Einsum": _einsum,
}


def _depthwise(output, kernel):
    return 2 * math.prod(output.shape) * math.prod(kernel.shape[:2])
