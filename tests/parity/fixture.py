"""Runs of the published PyTorch code, and what it takes to compare networks with them."""

import contextlib
import functools
import json
import lzma
from pathlib import Path
from unittest import mock

import numpy as np
from keras import ops

from t2i_tf.networks.batch_norm import BatchNorm

DIRECTORY = Path(__file__).parents[1] / "fixtures" / "reference"


class Fixture:
    """Arrays of one reference run, what the manifest says of it and the tolerances that it sets."""

    def __init__(self, name):
        self.facts = json.loads((DIRECTORY / "manifest.json").read_text())[name]
        self.config, self.own_error = self.facts["config"], self.facts["f64_diff"]
        with np.load(DIRECTORY / f"{name}.npz") as arrays:
            self.arrays = {key: _single(array) for key, array in arrays.items()}

    def __getitem__(self, key):
        return self.arrays[key]

    def group(self, prefix):
        """The arrays under `prefix`, by the rest of their names."""
        return {k.removeprefix(prefix): v for k, v in self.arrays.items() if k.startswith(prefix)}

    def tolerance(self, quantity):
        """Ten times the reference's own float32 error, but at least 1e-5.

        The error is the quantity's or that of a group that holds it: `D0/params` for
        `D0/params/joint/conv/kernel`.
        """
        while quantity and quantity not in self.own_error:
            quantity = quantity.rpartition("/")[0]
        return max(10 * self.own_error.get(quantity, 0.0), 1e-5)


load = functools.cache(Fixture)


def _single(array):
    """float32 arrays whose values float16 holds exactly are stored as such."""
    return array.astype("float32") if array.dtype == "float16" else array


@functools.cache
def published_models():
    """The state dicts of the published models: {model: {key: shape}}."""
    models = json.loads(lzma.decompress((DIRECTORY / "keys.json.xz").read_bytes()))["models"]
    return {model: {key: tuple(shape) for key, shape in keys} for model, keys in models.items()}


def stored_part(array, part):
    """What a fixture keeps of a big output `[B, h, w, C]`.

    Args:
        array: The output.
        part: `"subK"`, every K-th pixel; `"crop"`, 32x32 pixels at the right border; `""`, all.
    """
    if part == "crop":
        side = array.shape[1]
        return array[:, side // 4 : side // 4 + 32, side - 32 :]
    if part:
        step = int(part.removeprefix("sub"))
        return array[:, ::step, ::step]
    return array


def channels_last(array):
    """Moves the channels of maps and words to the end; codes and scalars stay as they are."""
    return np.moveaxis(array, 1, -1) if array.ndim > 2 else array


def all_channels_last(arrays):
    return {name: channels_last(array) for name, array in arrays.items()}


@contextlib.contextmanager
def unbiased_running_variance():
    """BatchNorm keeps the unbiased variance, as PyTorch does; Keras keeps the biased."""
    biased_call = BatchNorm.call

    def call(self, inputs, training=False, groups=1):
        assert groups == 1
        kept = self.momentum * self.moving_variance.numpy()
        outputs = biased_call(self, inputs, training=training)
        if training:
            count = np.prod(inputs.shape[:-1])
            added = self.moving_variance.numpy() - kept
            self.moving_variance.assign(kept + added * count / (count - 1))
        return outputs

    with mock.patch.object(BatchNorm, "call", call):
        yield


def running_statistics(network):
    """BatchNorm's running means and variances, by path within the network."""
    return {
        variable.path.partition("/")[2]: ops.convert_to_numpy(variable)
        for variable in network.non_trainable_variables
        if "moving_" in variable.path
    }
