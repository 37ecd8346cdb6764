"""Where each variable of a network lies in a published state dict, and in which layout.

Convolutions of PyTorch are (out, in, height, width), its dense layers (out, in).
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np

from data_pipeline.support.errors import UserError

Order = np.ndarray | slice  # of units
EVERY = slice(None)


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a variable's value comes from.

    Attributes:
        variable: The variable to assign.
        keys: Names in the state dict; all have the same shape.
        shape: That shape, in PyTorch's layout.
        convert: Maps the keys' arrays to the variable's value.
    """

    variable: keras.Variable
    keys: tuple[str, ...]
    shape: tuple[int, ...]
    convert: Callable[..., np.ndarray]


def conv(kernel: keras.Variable, key: str) -> Source:
    """A convolution's kernel."""
    height, width, inputs, outputs = kernel.shape
    return Source(
        kernel,
        (key,),
        (outputs, inputs, height, width),
        lambda array: np.transpose(array, (2, 3, 1, 0)),
    )


def pointwise(dense: keras.layers.Dense, key: str) -> Source:
    """A dense layer over channels that the reference writes as a 1x1 convolution."""
    inputs, outputs = dense.kernel.shape
    return Source(dense.kernel, (key,), (outputs, inputs, 1, 1), lambda array: array[:, :, 0, 0].T)


def dense(kernel: keras.Variable, key: str, order: Order = EVERY, inputs: Order = EVERY) -> Source:
    """A dense kernel; `order` takes the reference's units, `inputs` its inputs in this order."""
    return Source(kernel, (key,), kernel.shape[::-1], lambda array: array[order][:, inputs].T)


def vector(variable: keras.Variable, key: str, order: Order = EVERY) -> Source:
    """A bias or the like; for `order` see `dense`."""
    return Source(variable, (key,), variable.shape, lambda array: array[order])


def batch_norm(
    norm: keras.layers.BatchNormalization, name: str, order: Order = EVERY
) -> list[Source]:
    """The four variables of a BatchNorm; for `order` see `dense`."""
    return [
        vector(norm.gamma, f"{name}.weight", order),
        vector(norm.beta, f"{name}.bias", order),
        vector(norm.moving_mean, f"{name}.running_mean", order),
        vector(norm.moving_variance, f"{name}.running_var", order),
    ]


def channels_last(units: int, channels: int, side: int) -> np.ndarray:
    """The network's order of the units of maps that the reference views as `[C, side, side]`."""
    maps = np.arange(units).reshape(-1, channels, side, side)
    return maps.transpose(0, 2, 3, 1).reshape(-1)


def assign(what: str, sources: Sequence[Source], state: Mapping[str, np.ndarray]) -> None:
    """Checks every key, then assigns every variable.

    Args:
        what: The network in words, for the message.
        sources: All of its variables.
        state: The state dict's arrays by key.

    Raises:
        UserError: Keys are missing, unknown or misshapen; nothing was assigned.
    """
    shapes = {key: tuple(source.shape) for source in sources for key in source.keys}
    counters = {  # PyTorch 0.4.1 and later save one beside each BatchNorm's running statistics
        key.replace("running_mean", "num_batches_tracked")
        for key in shapes
        if key.endswith("running_mean")
    }
    problems = [f"missing: {key}" for key in shapes if key not in state]
    problems += [f"unknown: {key}" for key in state if key not in shapes and key not in counters]
    for key, shape in shapes.items():
        if key in state and np.shape(state[key]) != shape:
            problems.append(f"misshapen: {key} is {np.shape(state[key])}, expected {shape}")
        elif key in state and key.endswith("running_var") and np.min(state[key]) < 0:
            problems.append(f"negative variance: {key}")
    if problems:
        raise UserError(f"the weights do not fit the {what}:\n  " + "\n  ".join(problems))
    for source in sources:
        source.variable.assign(source.convert(*(state[key] for key in source.keys)))
