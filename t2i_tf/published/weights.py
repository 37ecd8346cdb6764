"""Maps the published PyTorch models' weights onto the networks, in NumPy.

Keys are those of the state dicts that AttnGAN's code saves (Xu et al., 2018, arXiv:1711.10485),
and that of `dualAttnModel.py`, which a student project added to it. Every function is strict: it
assigns either all variables of a network or, after one error that lists everything that does not
fit, none.
"""

from collections.abc import Mapping

import keras
import numpy as np

from t2i_tf.published import layouts

# Places of Keras' gates among PyTorch's: (i, f, g, o) in both, and (z, r, h) of (r, z, n).
_GATES = {"lstm": (0, 1, 2, 3), "gru": (1, 0, 2)}


def assign_text_encoder(network: keras.Model, state: Mapping[str, np.ndarray]) -> None:
    """Sets a `TextEncoder` to the weights of the reference's RNN_ENCODER.

    Args:
        network: A built `TextEncoder` with the same cell.
        state: The state dict's arrays by key.

    Raises:
        UserError: Keys are missing, unknown or misshapen.
    """
    embeddings = network.embedding.embeddings
    sources = [layouts.Source(embeddings, ("encoder.weight",), tuple(embeddings.shape), np.asarray)]
    for layer, suffix in ((network.forward, "l0"), (network.backward, "l0_reverse")):
        sources += _recurrent(layer.cell, network.cell, suffix)
    layouts.assign("text encoder", sources, state)


def _recurrent(cell, kind, suffix) -> list[layouts.Source]:
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
        layouts.Source(cell.kernel, (f"rnn.weight_ih_{suffix}",), cell.kernel.shape[::-1], kernel),
        layouts.Source(
            cell.recurrent_kernel,
            (f"rnn.weight_hh_{suffix}",),
            cell.recurrent_kernel.shape[::-1],
            kernel,
        ),
        layouts.Source(cell.bias, biases, cell.bias.shape[-1:], bias),
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
        layouts.conv(network.regions.kernel, "emb_features.weight"),
        layouts.dense(network.code.kernel, "emb_cnn_code.weight"),
        layouts.vector(network.code.bias, "emb_cnn_code.bias"),
    ]
    layouts.assign("image encoder", sources, state)


def assign_inception_v3(trunk: keras.Model, state: Mapping[str, np.ndarray]) -> None:
    """Sets an `inception_v3_trunk` to the weights of torchvision's Inception v3.

    Args:
        trunk: The trunk.
        state: The state dict's arrays by key, without those of the heads (`AuxLogits`, `fc`).

    Raises:
        UserError: Keys are missing, unknown or misshapen.
    """
    layouts.assign("Inception v3", _inception_v3(trunk), state)


def _inception_v3(trunk) -> list[layouts.Source]:
    sources = []
    for layer in trunk.layers:  # named as torchvision's modules
        if isinstance(layer, keras.layers.Conv2D):
            sources.append(layouts.conv(layer.kernel, f"{layer.name}.weight"))
        elif isinstance(layer, keras.layers.BatchNormalization):
            sources += layouts.batch_norm(layer, layer.name)
    return sources


def assign_generator(network: keras.Model, state: Mapping[str, np.ndarray]) -> None:
    """Sets a `Generator` to the weights of a G_NET, G_DCGAN or DualAttn_G_NET, of any depth.

    Args:
        network: A built `Generator`, without the options that the reference lacks.
        state: The state dict's arrays by key.

    Raises:
        UserError: Keys are missing, unknown or misshapen.
        ValueError: The network normalises its sentences, shifts logvar or has other stages.
    """
    if network.normalize_sentence or network.logvar_bias or network.attention not in _ATTENTION:
        raise ValueError(
            "the reference has attention='textual' or 'dual_compressed' without normalize_sentence "
            "or logvar_bias"
        )
    dense, initial = network.condition.dense, network.initial
    order = layouts.channels_last(initial.units, initial.top, 4)
    sources = [
        layouts.dense(dense.kernel, "ca_net.fc.weight"),
        layouts.vector(dense.bias, "ca_net.fc.bias"),
        layouts.dense(initial.dense.kernel, "h_net1.fc.0.weight", order),
        *layouts.batch_norm(initial.norm, "h_net1.fc.1", order),
    ]
    for i, block in enumerate(initial.up_blocks, start=1):
        sources += _up_block(block, f"h_net1.upsample{i}")
    for i, stage in enumerate(network.refine, start=2):
        sources += _ATTENTION[network.attention](stage, f"h_net{i}")
        for j, block in enumerate(stage.blocks):
            name = f"h_net{i}.residual.{j}.block"
            sources += [
                layouts.conv(block.conv_1.kernel, f"{name}.0.weight"),
                *layouts.batch_norm(block.norm_1, f"{name}.1"),
                layouts.conv(block.conv_2.kernel, f"{name}.3.weight"),
                *layouts.batch_norm(block.norm_2, f"{name}.4"),
            ]
        sources += _up_block(stage.up, f"h_net{i}.upsample")
    numbers = range(1, network.stages + 1) if network.image_heads == "all" else [""]
    for number, head in zip(numbers, network.heads, strict=True):
        sources.append(layouts.conv(head.kernel, f"img_net{number}.img.0.weight"))
    layouts.assign("generator", sources, state)


def _textual(stage, name) -> list[layouts.Source]:
    return [layouts.pointwise(stage.attention.project, f"{name}.att.conv_context.weight")]


def _dual_compressed(stage, name) -> list[layouts.Source]:
    name = f"{name}.dual_attention_module"
    visual, context = f"{name}.visual_attention_module", f"{name}.textual_attention_module"
    return [
        layouts.pointwise(stage.textual.project, f"{context}.conv_context.weight"),
        *_channel_attention(stage.channel, f"{visual}.channel_attention_module"),
        *_spatial_attention(stage.spatial, f"{visual}.spatial_attention_module"),
    ]


def _channel_attention(layer, name) -> list[layouts.Source]:
    inputs, units = layer.hidden.kernel.shape[0], layer.widen.units
    code = layouts.channels_last(inputs, layer.narrow, layer.side // 8)
    half = layouts.channels_last(units, layer.narrow, layer.side // 2)
    return [
        layouts.pointwise(layer.compress, f"{name}.conv.weight"),
        layouts.vector(layer.compress.bias, f"{name}.conv.bias"),
        layouts.dense(layer.hidden.kernel, f"{name}.linear_1.weight", inputs=code),
        layouts.vector(layer.hidden.bias, f"{name}.linear_1.bias"),
        layouts.dense(layer.widen.kernel, f"{name}.linear_2.weight", half),
        layouts.vector(layer.widen.bias, f"{name}.linear_2.bias", half),
        # Of a transposed convolution both frameworks have the two axes the other way round.
        layouts.conv(layer.spread.kernel, f"{name}.conv_t.weight"),
        layouts.vector(layer.spread.bias, f"{name}.conv_t.bias"),
    ]


def _spatial_attention(layer, name) -> list[layouts.Source]:
    parts = zip("fgh", (layer.f, layer.g, layer.h), strict=True)
    return [layouts.pointwise(dense, f"{name}.conv_{part}.weight") for part, dense in parts]


_ATTENTION = {"textual": _textual, "dual_compressed": _dual_compressed}


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
    sources = [layouts.conv(first.conv.kernel, "img_code_s16.0.weight")]
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
        sources.append(layouts.conv(head.kernel, f"{name}.outlogits.0.weight"))
        sources.append(layouts.vector(head.bias, f"{name}.outlogits.0.bias"))
    layouts.assign("discriminator", sources, state)


def _down_block(block, conv_name, norm_name) -> list[layouts.Source]:
    return [
        layouts.conv(block.conv.kernel, f"{conv_name}.weight"),
        *layouts.batch_norm(block.batch_norm, norm_name),
    ]


def _up_block(block, name) -> list[layouts.Source]:
    return [
        layouts.conv(block.kernel, f"{name}.1.weight"),
        *layouts.batch_norm(block.norm, f"{name}.2"),
    ]
