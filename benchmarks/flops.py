"""Floating-point operations of a step, counted from its graph."""

import math
from unittest import mock

import tensorflow as tf
from keras import ops

from t2i_tf.networks import convolutions, layers


def executed_flops(step, *inputs):
    """Multiplications and additions of the convolutions and matrix products that a step runs.

    Args:
        step: A function of tensors that `tf.function` can trace.
        *inputs: Its arguments.

    Returns:
        Their number, two for a multiply-add. Padding counts as the rest; ops whose results are not
        used, and those inside loops (the text encoder's recurrence), do not count.
    """
    graph = tf.function(step, autograph=False).get_concrete_function(*inputs).graph
    return sum(_COUNTS[op.type](op) for op in _used(graph) if op.type in _COUNTS)


def nominal_flops(step, *inputs):
    """The same of the step as the papers write it down, convolution by convolution."""
    with (
        mock.patch.object(convolutions, "same_conv", _convolve),
        mock.patch.object(layers, "upsampled_conv", _upsample_then_convolve),
    ):
        return executed_flops(step, *inputs)


def _convolve(x, kernel, strides=1):
    return ops.conv(x, ops.cast(kernel, x.dtype), strides=strides, padding="same")


def _upsample_then_convolve(x, kernel):
    return _convolve(ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2), kernel)


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
    """2 x outputs x what each is summed over; `kernel` is `[h, w, in, out]`."""
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
