"""Maps the published PyTorch models' weights onto the networks, in NumPy.

Keys and layouts are those of the state dicts that AttnGAN's code saves (Xu et al., 2018,
arXiv:1711.10485): convolutions (out, in, height, width), dense layers (out, in). Every function
is strict: it assigns either all variables of a network or, after one error that lists everything
that does not fit, none.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np

from data_pipeline.support.errors import UserError

# Places of Keras' gates among PyTorch's: (i, f, g, o) in both, and (z, r, h) of (r, z, n).
_GATES = {"lstm": (0, 1, 2, 3), "gru": (1, 0, 2)}


@dataclasses.dataclass(frozen=True)
class _Source:
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


def assign_text_encoder(network: keras.Model, state: Mapping[str, np.ndarray]) -> None:
    """Sets a `TextEncoder` to the weights of the reference's RNN_ENCODER.

    Args:
        network: A built `TextEncoder` with the same cell.
        state: The state dict's arrays by key.

    Raises:
        UserError: Keys are missing, unknown or misshapen.
    """
    embeddings = network.embedding.embeddings
    sources = [_Source(embeddings, ("encoder.weight",), tuple(embeddings.shape), np.asarray)]
    for layer, suffix in ((network.forward, "l0"), (network.backward, "l0_reverse")):
        sources += _recurrent(layer.cell, network.cell, suffix)
    _assign("text encoder", sources, state)


def _recurrent(cell, kind, suffix) -> list[_Source]:
    """One direction of an LSTM or GRU. Keras' LSTM has one bias where PyTorch adds two."""

    def gates(array):
        blocks = np.split(np.asarray(array), len(_GATES[kind]))
        return np.concatenate([blocks[place] for place in _GATES[kind]])

    def kernel(array):
        return gates(array).T

    def bias(of_input, of_state):
        both = np.stack([gates(of_input), gates(of_state)])
        return both.sum(axis=0) if kind == "lstm" else both

    biases = (f"rnn.bias_ih_{suffix}", f"rnn.bias_hh_{suffix}")
    return [
        _Source(cell.kernel, (f"rnn.weight_ih_{suffix}",), cell.kernel.shape[::-1], kernel),
        _Source(
            cell.recurrent_kernel,
            (f"rnn.weight_hh_{suffix}",),
            cell.recurrent_kernel.shape[::-1],
            kernel,
        ),
        _Source(cell.bias, biases, cell.bias.shape[-1:], bias),
    ]


def assign_image_encoder(network: keras.Model, state: Mapping[str, np.ndarray]) -> None:
    """Sets an `ImageEncoder` to the weights of the reference's CNN_ENCODER.

    Args:
        network: A built `ImageEncoder` of kind `inception_v3`.
        state: The state dict's arrays by key.

    Raises:
        UserError: Keys are missing, unknown or misshapen.
        ValueError: The network has another trunk.
    """
    if network.trunk.name != "inception_v3":
        raise ValueError(f"the reference has the trunk 'inception_v3', got {network.trunk.name!r}")
    sources = [
        *_inception_v3(network.trunk),
        _conv(network.regions.kernel, "emb_features.weight"),
        _dense(network.code.kernel, "emb_cnn_code.weight"),
        _vector(network.code.bias, "emb_cnn_code.bias"),
    ]
    _assign("image encoder", sources, state)


def assign_inception_v3(trunk: keras.Model, state: Mapping[str, np.ndarray]) -> None:
    """Sets an `inception_v3_trunk` to the weights of torchvision's Inception v3.

    Args:
        trunk: The trunk.
        state: The state dict's arrays by key, without those of the heads (`AuxLogits`, `fc`).

    Raises:
        UserError: Keys are missing, unknown or misshapen.
    """
    _assign("Inception v3", _inception_v3(trunk), state)


def _inception_v3(trunk) -> list[_Source]:
    sources = []
    for layer in trunk.layers:  # named as torchvision's modules
        if isinstance(layer, keras.layers.Conv2D):
            sources.append(_conv(layer.kernel, f"{layer.name}.weight"))
        elif isinstance(layer, keras.layers.BatchNormalization):
            sources += _batch_norm(layer, layer.name)
    return sources


def assign_generator(network: keras.Model, state: Mapping[str, np.ndarray]) -> None:
    """Sets a `Generator` to the weights of the reference's G_NET or G_DCGAN, of any depth.

    Args:
        network: A built `Generator`, without the options that the reference lacks.
        state: The state dict's arrays by key.

    Raises:
        UserError: Keys are missing, unknown or misshapen.
        ValueError: The network normalises its sentences, shifts logvar or has other stages.
    """
    if network.normalize_sentence or network.logvar_bias or network.attention != "textual":
        raise ValueError(
            "the reference has attention='textual' without normalize_sentence or logvar_bias"
        )
    dense, initial = network.condition.dense, network.initial
    # The reference views the dense layer's output as (C, 4, 4), the network as (4, 4, C).
    units = np.arange(2 * initial.top * 16).reshape(2, initial.top, 4, 4)
    order = units.transpose(0, 2, 3, 1).reshape(-1)
    sources = [
        _dense(dense.kernel, "ca_net.fc.weight"),
        _vector(dense.bias, "ca_net.fc.bias"),
        _dense(initial.dense.kernel, "h_net1.fc.0.weight", order),
        *_batch_norm(initial.norm, "h_net1.fc.1", order),
    ]
    for i, block in enumerate(initial.up_blocks, start=1):
        sources += _up_block(block, f"h_net1.upsample{i}")
    for i, stage in enumerate(network.refine, start=2):
        sources.append(_pointwise(stage.attention.project, f"h_net{i}.att.conv_context.weight"))
        for j, block in enumerate(stage.blocks):
            name = f"h_net{i}.residual.{j}.block"
            sources += [
                _conv(block.conv_1.kernel, f"{name}.0.weight"),
                *_batch_norm(block.norm_1, f"{name}.1"),
                _conv(block.conv_2.kernel, f"{name}.3.weight"),
                *_batch_norm(block.norm_2, f"{name}.4"),
            ]
        sources += _up_block(stage.up, f"h_net{i}.upsample")
    numbers = range(1, network.stages + 1) if network.image_heads == "all" else [""]
    for number, head in zip(numbers, network.heads, strict=True):
        sources.append(_conv(head.kernel, f"img_net{number}.img.0.weight"))
    _assign("generator", sources, state)


def assign_discriminator(network: keras.Model, state: Mapping[str, np.ndarray]) -> None:
    """Sets a `Discriminator` to the weights of the reference's D_NET of the same image size.

    Args:
        network: A built `Discriminator` of images of at least 64 pixels, with BatchNorm and
            without the options that the reference lacks.
        state: The state dict's arrays by key.

    Raises:
        UserError: Keys are missing, unknown or misshapen.
        ValueError: The network has another normalisation or size, or normalises its sentences.
    """
    if network.norm != "batch" or network.normalize_sentence or network.image_size < 64:
        raise ValueError(
            "the reference's discriminators use norm='batch' without normalize_sentence, on images "
            f"of at least 64 pixels; got norm={network.norm!r}, "
            f"normalize_sentence={network.normalize_sentence}, image_size={network.image_size}"
        )
    first, *to_4x4 = network.blocks[:4]
    sources = [_conv(first.conv.kernel, "img_code_s16.0.weight")]
    for i, block in enumerate(to_4x4):
        sources += _down_block(block, f"img_code_s16.{3 * i + 2}", f"img_code_s16.{3 * i + 3}")
    deeper = network.blocks[4:]  # stride-2 blocks, then as many stride-1 blocks
    halvings = sum(block.strides == 2 for block in deeper)
    names = [f"img_code_s{32 * 2**i}" for i in range(halvings)]
    names += [f"img_code_s{network.image_size // 4}_{i + 1}" for i in range(halvings)]
    for block, name in zip(deeper, names, strict=True):
        sources += _down_block(block, f"{name}.0", f"{name}.1")
    sources += _down_block(network.joint, "COND_DNET.jointConv.0", "COND_DNET.jointConv.1")
    heads = {"COND_DNET": network.conditional_head}
    if network.unconditional_head is not None:
        heads["UNCOND_DNET"] = network.unconditional_head
    for name, head in heads.items():
        sources.append(_conv(head.kernel, f"{name}.outlogits.0.weight"))
        sources.append(_vector(head.bias, f"{name}.outlogits.0.bias"))
    _assign("discriminator", sources, state)


def _down_block(block, conv_name, norm_name) -> list[_Source]:
    return [
        _conv(block.conv.kernel, f"{conv_name}.weight"),
        *_batch_norm(block.batch_norm, norm_name),
    ]


def _up_block(block, name) -> list[_Source]:
    return [_conv(block.kernel, f"{name}.1.weight"), *_batch_norm(block.norm, f"{name}.2")]


def _conv(kernel, key) -> _Source:
    height, width, inputs, outputs = kernel.shape
    return _Source(
        kernel,
        (key,),
        (outputs, inputs, height, width),
        lambda array: np.transpose(array, (2, 3, 1, 0)),
    )


def _pointwise(dense, key) -> _Source:
    """A dense layer over channels that the reference writes as a 1x1 convolution."""
    inputs, outputs = dense.kernel.shape
    return _Source(dense.kernel, (key,), (outputs, inputs, 1, 1), lambda array: array[:, :, 0, 0].T)


def _dense(kernel, key, order=slice(None)) -> _Source:
    """A dense kernel; `order` takes the reference's units in the network's order."""
    return _Source(kernel, (key,), kernel.shape[::-1], lambda array: array[order].T)


def _vector(variable, key, order=slice(None)) -> _Source:
    return _Source(variable, (key,), variable.shape, lambda array: array[order])


def _batch_norm(norm, name, order=slice(None)) -> list[_Source]:
    return [
        _vector(norm.gamma, f"{name}.weight", order),
        _vector(norm.beta, f"{name}.bias", order),
        _vector(norm.moving_mean, f"{name}.running_mean", order),
        _vector(norm.moving_variance, f"{name}.running_var", order),
    ]


def _assign(what: str, sources: Sequence[_Source], state: Mapping[str, np.ndarray]) -> None:
    """Checks every key, then assigns every variable."""
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
