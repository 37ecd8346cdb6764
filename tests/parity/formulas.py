"""Cases of what nobody published the code of: the papers' formulas in PyTorch instead.

The weights are random. What PyTorch gives in float32 is expected, and its distance from float64
sets the tolerance, as the published code's does in `tests.parity.fixture`.
"""

import copy
import functools
import importlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from t2i_tf.networks.attention import ChannelAttention, SpatialAttention
from t2i_tf.networks.convolutions import SpectralConv2D
from t2i_tf.networks.discriminator import Discriminator
from t2i_tf.networks.generator import Generator
from t2i_tf.networks.layers import InvertedResidualBlock
from tests.parity.fixture import channels_last, unbiased_running_variance
from tests.parity.training import double_precision

LEAVES = {  # Keras' names of variables, and PyTorch's
    "kernel": "weight",
    "gamma": "weight",
    "bias": "bias",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
    "scale": "scale",
    "u": "weight_u",
}
BATCH, WORDS, EMBEDDING = 3, 7, 12
SIZES = dict(
    stages=3, filters=16, noise_dim=6, condition_dim=5, residual_blocks=2, base_size=32
)  # so that one stage has more places than the spatial attention looks at, and one has not
STEPS, LEARNING_RATE, SETTLED = 3, 0.05, 300


def plain_torch():
    """The networks in PyTorch; a test that needs them is skipped without it."""
    pytest.importorskip("torch")
    return importlib.import_module("tests.parity.plain_torch")


class TorchRun:
    """What a PyTorch network gives, and the tolerances that its own float32 error sets.

    Args:
        network: The network; stays as it is.
        run: Function of a network and a function that makes tensors of arrays, which returns
            tensors by name.
        double: Whether to expect float64's numbers, within 1e-5.
    """

    def __init__(self, network, run, double=False):
        self.expected = _numbers(network, run, "float64")
        self.own_error = {}
        if not double:
            exact, self.expected = self.expected, _numbers(network, run, "float32")
            self.own_error = {k: np.max(np.abs(v - exact[k])) for k, v in self.expected.items()}

    def tolerance(self, quantity):
        """Ten times PyTorch's own float32 error, but at least 1e-5."""
        return max(10 * self.own_error.get(quantity, 0.0), 1e-5)


def _numbers(network, run, dtype):
    torch = importlib.import_module("torch")
    network = copy.deepcopy(network).to(getattr(torch, dtype))
    tensors = run(network, functools.partial(tensor, dtype=dtype))
    return {name: value.detach().numpy().copy() for name, value in tensors.items()}


def tensor(array, dtype):
    """A tensor of numbers in `dtype`, or of booleans as they are."""
    torch = importlib.import_module("torch")
    return torch.tensor(array if array.dtype == bool else array.astype(dtype))


def randomize(network, seed=0):
    """Draws every weight anew, so that none of them is left out by being 0 or 1; returns it."""
    rng = np.random.default_rng(seed)
    rules = {
        "scale": lambda z: 0.7 + 0 * z,
        "running_mean": lambda z: 0.2 * z,
        "running_var": lambda z: np.exp(0.3 * z),
        "bias": lambda z: 0.2 * z,
        "weight": lambda z: 1.3 * z / np.sqrt(z[0].size) if z.ndim > 1 else 1 + 0.2 * z,
        "weight_orig": lambda z: 1.3 * z / np.sqrt(z[0].size),
        "weight_u": lambda z: z / np.linalg.norm(z),
        "weight_v": lambda z: z / np.linalg.norm(z),
    }
    state = network.state_dict()
    for key, value in state.items():
        if not key.endswith("num_batches_tracked"):
            z = rng.standard_normal(tuple(value.shape))
            state[key] = tensor(np.asarray(rules[key.rpartition(".")[2]](z)), "float32")
    network.load_state_dict(state)
    return network


def in_keras(array, path):
    """A PyTorch weight, or its gradient, in the axes of the Keras variable at `path`."""
    if array.ndim == 4:
        return array.transpose(2, 3, 0, 1) if "depthwise" in path else array.transpose(2, 3, 1, 0)
    return array.T if path.endswith("kernel") else array


def torch_keys(network):
    """The PyTorch key of every Keras variable, by its path within the network."""
    keys = {}
    for variable in network.variables:
        path = variable.path.removeprefix(f"{network.name}/")
        *parts, leaf = path.split("/")
        keys[path] = ".".join([*parts, LEAVES[leaf]])
    return keys


def assign(network, state):
    """Gives a Keras network a state dict's weights; every weight of both has its counterpart."""
    keys, variables = torch_keys(network), network.variables
    given = {k.replace("weight_orig", "weight"): v.numpy() for k, v in state.items()}
    kept = {k for k in given if not k.endswith(("num_batches_tracked", "weight_v"))}
    assert kept == set(keys.values())
    for (path, key), variable in zip(keys.items(), variables, strict=True):
        variable.assign(np.reshape(in_keras(given[key], path), variable.shape))


def rows(*shape, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def layer_case(layer, name, side):
    """A layer of maps: its output, and the gradients of its weighted sum."""
    torch_network = randomize(getattr(plain_torch(), name)(16))
    x, weights = rows(BATCH, 16, side, side, seed=1), rows(BATCH, 16, side, side, seed=2)

    def run(network, tensor):
        inputs = tensor(x).requires_grad_()
        y = network.eval()(inputs)
        (y * tensor(weights)).sum().backward()
        gradients = {f"grad/{k}": p.grad for k, p in network.named_parameters()}
        return {"output": y, "grad/input": inputs.grad, **gradients}

    layer.build((None, side, side, 16))
    assign(layer, torch_network.state_dict())
    inputs = tf.constant(channels_last(x))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = layer(inputs)
        loss = tf.reduce_sum(y * channels_last(weights))
    trained = layer.trainable_variables
    of_input, *of_trained = tape.gradient(loss, [inputs, *(v.value for v in trained)])
    actual = {"output": y, "grad/input": of_input}
    return compared(TorchRun(torch_network, run), layer, actual, of_trained)


def compared(run, network, actual, gradients):
    """A case of outputs and of gradients, each in units of the largest of its tensor."""
    keys = torch_keys(network)
    expected = {k: channels_last(v) for k, v in run.expected.items() if not k.startswith("grad/")}
    if "grad/input" in actual:
        expected["grad/input"] = channels_last(run.expected["grad/input"])
    for variable, gradient in zip(network.trainable_variables, gradients, strict=True):
        path = variable.path.removeprefix(f"{network.name}/")
        name = f"grad/{keys[path]}"
        stored = in_keras(run.expected[name], path)
        scale = np.max(np.abs(stored))
        if name in run.own_error:
            run.own_error[name] /= scale
        expected[name] = stored / scale
        actual[name] = np.reshape(gradient, stored.shape) / scale
    return run, actual, expected


def double(array):
    return array if array.dtype == bool else array.astype("float64")


def generators(attention):
    """The Keras generator and the PyTorch one, with the same weights."""
    torch_network = randomize(plain_torch().Generator(attention, EMBEDDING, **SIZES))
    network = Generator(attention=attention, **SIZES)
    shapes = (EMBEDDING,), (WORDS, EMBEDDING), (WORDS,)
    codes = (SIZES["noise_dim"],), (SIZES["condition_dim"],)
    network(*(keras.Input(shape) for shape in (*shapes, *codes)))
    assign(network, torch_network.state_dict())
    return network, torch_network


def generator_inputs():
    """Sentences, words, masks of 7, 4 and 1 words, noise and eps."""
    return (
        rows(BATCH, EMBEDDING, seed=1),
        rows(BATCH, WORDS, EMBEDDING, seed=2),
        np.arange(WORDS) < np.array([[7], [4], [1]]),
        rows(BATCH, SIZES["noise_dim"], seed=3),
        rows(BATCH, SIZES["condition_dim"], seed=4),
    )


def generator_case(attention):
    """Images, attention, mu and logvar, with the running statistics."""
    network, torch_network = generators(attention)
    inputs = generator_inputs()

    def run(network, tensor):
        return network.eval()(*map(tensor, inputs))

    run = TorchRun(torch_network, run)
    return run, named(network(*inputs)), {k: channels_last(v) for k, v in run.expected.items()}


def named(drawn):
    """The outputs under the names of the PyTorch generator's."""
    outputs = {"mu": drawn["mu"], "logvar": drawn["logvar"]}
    outputs |= {f"img{i}": image for i, image in enumerate(drawn["images"])}
    return outputs | {f"att{i}": weights for i, weights in enumerate(drawn["attention"])}


def generator_in_training_case(attention):
    """The same by the batch's statistics, the running ones after, and all gradients; in float64.

    In float32 a value near a corner of ReLU6 or near another maximum may fall on the other side.
    """
    inputs = generator_inputs()
    sides = [SIZES["base_size"] * 2**i for i in range(SIZES["stages"])]
    weights = [rows(BATCH, 3, side, side, seed=9) / side for side in sides]

    def run(network, tensor):
        drawn = network.train()(*map(tensor, inputs))
        sum((drawn[f"img{i}"] * tensor(w)).sum() for i, w in enumerate(weights)).backward()
        after = {k: v for k, v in network.named_buffers() if "running" in k}
        gradients = {f"grad/{k}": p.grad for k, p in network.named_parameters()}
        return drawn | after | gradients

    with double_precision():
        network, torch_network = generators(attention)
        run = TorchRun(torch_network, run, double=True)
        with unbiased_running_variance(), tf.GradientTape() as tape:
            drawn = network(*map(double, inputs), training=True)
            pairs = zip(drawn["images"], weights, strict=True)
            loss = sum(tf.reduce_sum(image * channels_last(w)) for image, w in pairs)
        gradients = tape.gradient(loss, [v.value for v in network.trainable_variables])
        keys = torch_keys(network)
        after = {keys[v.path.removeprefix(f"{network.name}/")]: v for v in network.variables}
        statistics = {k: v.numpy() for k, v in after.items() if "running" in k}
        return compared(run, network, named(drawn) | statistics, gradients)


def spectral_convs(channels=5, filters=6):
    """The Keras layer and PyTorch's, with the same kernel, bias and vector u."""
    torch_layer = randomize(plain_torch().spectral_conv(channels, filters, 4, 2))
    layer = SpectralConv2D(filters, 4, 2)
    layer.build((None, 8, 8, channels))
    assign(layer, torch_layer.state_dict())
    return layer, torch_layer


def spectral_steps_case():
    """Steps of gradient descent: outputs, gradients, kernel and u after each of them."""
    layer, torch_layer = spectral_convs()
    x, weights = rows(STEPS, BATCH, 5, 8, 8, seed=1), rows(STEPS, BATCH, 6, 4, 4, seed=2)

    def run(network, tensor):
        network.train()
        outputs = {}
        for step in range(STEPS):
            y = network(tensor(x[step]))
            network.zero_grad()
            (y * tensor(weights[step])).sum().backward()
            outputs |= {f"output/{step}": y, f"grad/{step}": network.weight_orig.grad.clone()}
            for p in network.parameters():
                p.data -= LEARNING_RATE * p.grad
            outputs |= {f"u/{step}": network.weight_u.clone()}
        return outputs | {"kernel": network.weight_orig, "bias": network.bias}

    run = TorchRun(torch_layer, run)
    actual = {}
    for step in range(STEPS):
        with tf.GradientTape() as tape:
            y = layer(channels_last(x[step]), training=True)
            loss = tf.reduce_sum(y * channels_last(weights[step]))
        trained = layer.trainable_variables
        gradients = tape.gradient(loss, [v.value for v in trained])
        for variable, gradient in zip(trained, gradients, strict=True):
            variable.assign_sub(LEARNING_RATE * gradient)
        actual |= {f"output/{step}": y, f"grad/{step}": gradients[0], f"u/{step}": layer.u[0]}
    actual |= {"kernel": layer.kernel, "bias": layer.bias}
    expected = {
        k: in_keras(v, "kernel") if k.startswith(("grad", "kernel")) else channels_last(v)
        for k, v in run.expected.items()
    }
    return run, actual, expected


def spectral_inference_case():
    """After many calls in training, when u stands still: PyTorch's inference, and the definition.

    Before, the two differ: here inference takes one more step of the iteration, which is not kept.
    """
    layer, torch_layer = spectral_convs()
    torch = importlib.import_module("torch")
    x = rows(BATCH, 5, 8, 8, seed=1)

    def run(network, tensor):
        inputs, kernel = tensor(x), network.weight_orig
        network.train()
        for _ in range(SETTLED):
            network(inputs)
        divided = kernel / torch.linalg.svdvals(kernel.flatten(1))[0]
        by_definition = torch.conv2d(inputs, divided, network.bias, stride=2, padding=1)
        return {"inference": network.eval()(inputs), "definition": by_definition}

    run = TorchRun(torch_layer, run)
    inputs = channels_last(x)
    for _ in range(SETTLED):
        layer(inputs, training=True)
    output = layer(inputs)
    expected = {name: channels_last(value) for name, value in run.expected.items()}
    return run, {"inference": output, "definition": output}, expected


def spectral_discriminator_case():
    """Logits of steps of gradient descent, and all weights and vectors u after them."""
    torch_network = randomize(plain_torch().Discriminator(64, 8, EMBEDDING))
    network = Discriminator(64, 8, norm="spectral")
    network(keras.Input((64, 64, 3)), keras.Input((EMBEDDING,)))
    assign(network, torch_network.state_dict())
    images = np.tanh(rows(STEPS, BATCH, 3, 64, 64, seed=1))
    sentences = rows(STEPS, BATCH, EMBEDDING, seed=2)

    def run(network, tensor):
        network.train()
        outputs = {}
        for step in range(STEPS):
            logits = network(tensor(images[step]), tensor(sentences[step]))
            network.zero_grad()
            sum(functional_loss(value) for value in logits.values()).backward()
            for p in network.parameters():
                p.data -= LEARNING_RATE * p.grad
            outputs |= {f"{name}/{step}": value for name, value in logits.items()}
        after = network.state_dict().items()
        return outputs | {k: v for k, v in after if not k.endswith("weight_v")}

    def functional_loss(logits):
        return (logits.exp() + 1).log().mean()  # a fake image's

    run = TorchRun(torch_network, run)
    actual = {}
    for step in range(STEPS):
        with tf.GradientTape() as tape:
            logits = network(channels_last(images[step]), sentences[step], training=True)
            loss = sum(tf.reduce_mean(tf.math.log(tf.exp(value) + 1)) for value in logits)
        trained = network.trainable_variables
        gradients = tape.gradient(loss, [v.value for v in trained])
        for variable, gradient in zip(trained, gradients, strict=True):
            variable.assign_sub(LEARNING_RATE * gradient)
        names = (f"uncond_logit/{step}", f"cond_logit/{step}")
        actual |= dict(zip(names, logits, strict=True))
    keys = torch_keys(network)
    expected = {k: v for k, v in run.expected.items() if "logit/" in k}
    for (path, key), variable in zip(keys.items(), network.variables, strict=True):
        name = key if key in run.expected else f"{key}_orig"
        expected[name] = np.reshape(in_keras(run.expected[name], path), variable.shape)
        actual[name] = variable
    return run, actual, expected


CASES = {
    "channel attention": lambda: layer_case(ChannelAttention(16), "ChannelAttention", 8),
    "spatial attention": lambda: layer_case(SpatialAttention(16, 8), "SpatialAttention", 8),
    "inverted residual block": lambda: layer_case(
        InvertedResidualBlock(16), "InvertedResidualBlock", 8
    ),
    "generator, 3 stages, dual attention": functools.partial(generator_case, "dual"),
    "generator, 3 stages, dual attention, training": functools.partial(
        generator_in_training_case, "dual"
    ),
    "generator, 3 stages, no attention": functools.partial(generator_case, "none"),
    "generator, 3 stages, no attention, training": functools.partial(
        generator_in_training_case, "none"
    ),
    "spectral norm, three training steps": spectral_steps_case,
    "spectral norm, inference": spectral_inference_case,
    "discriminator, 64 px, spectral norm, three training steps": spectral_discriminator_case,
}
