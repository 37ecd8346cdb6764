"""Tells from a published state dict's keys and shapes which network it is, and of what size.

Keys are those of AttnGAN's code (Xu et al., 2018, arXiv:1711.10485).
"""

import dataclasses
import re
from collections.abc import Mapping

import numpy as np

from data_pipeline.errors import UserError

State = Mapping[str, np.ndarray]
BASE_SIZE = 64  # of the first image, by the four up-blocks of every published generator
DROPOUT = 0.5

_NETWORKS = {  # what each is called here and there, and a key that no other has
    "text_encoder": ("a text encoder (RNN_ENCODER)", "rnn.weight_hh_l0"),
    "image_encoder": ("an image encoder (CNN_ENCODER)", "emb_features.weight"),
    "generator": ("a generator (G_NET or G_DCGAN)", "h_net1.fc.0.weight"),
    "discriminator": ("a discriminator (D_NET)", "img_code_s16.0.weight"),
}
_OTHER_DUAL = "dual_attention_module"


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The sizes of a published network.

    Attributes:
        units: E, the length of the sentence codes that it gives or takes.
        config: The network's section of the config.
        vocabulary_size: Words that a text encoder knows.
        image_sizes: Sides of the images that a generator draws or a discriminator judges.
    """

    units: int
    config: dict
    vocabulary_size: int | None = None
    image_sizes: tuple[int, ...] = ()


def of(network: str, state: State) -> Sizes:
    """The sizes of a network.

    Args:
        network: What the state dict should be of: `text_encoder`, `image_encoder`, `generator` or
            `discriminator`.
        state: The arrays by key.

    Raises:
        UserError: It is of another network, or lacks what tells its size.
    """
    expected, mark = _NETWORKS[network]
    if mark not in state or any(_OTHER_DUAL in key for key in state):
        raise UserError(f"expected {expected}, found {_described(state)}")
    return _SIZES[network](state)


def _described(state):
    if any(_OTHER_DUAL in key for key in state):
        return (
            f"the DualAttn-GAN of the code with {_OTHER_DUAL}: another network than the paper's, "
            "which configs/cub_dualattn.py trains; its weights fit none of the networks here"
        )
    for description, mark in _NETWORKS.values():
        if mark in state:
            return description
    return f"none of AttnGAN's networks (its keys: {', '.join(list(state)[:3])}, ...)"


def _text_encoder(state: State) -> Sizes:
    """The sizes of an RNN_ENCODER. Dropout is the published one: no weight tells it."""
    words, embedding_dim = _shape(state, "encoder.weight", 2)
    gates, width = _shape(state, "rnn.weight_hh_l0", 2)
    cells = {4 * width: "lstm", 3 * width: "gru"}
    if gates not in cells:
        raise UserError(
            f"rnn.weight_hh_l0 is {(gates, width)}, neither an LSTM's (4n, n) nor a GRU's (3n, n)"
        )
    config = dict(cell=cells[gates], embedding_dim=embedding_dim, units=2 * width, dropout=DROPOUT)
    return Sizes(2 * width, config, vocabulary_size=words)


def _image_encoder(state: State) -> Sizes:
    """The sizes of a CNN_ENCODER, and whether it was trained on pictures with aligned corners.

    PyTorch before 0.4 aligned the corners when it resized pictures to 299 px; PyTorch since 0.4.1
    counts the batches of each BatchNorm.
    """
    units, _, _, _ = _shape(state, "emb_features.weight", 4)
    counted = any(key.endswith("num_batches_tracked") for key in state)
    return Sizes(units, dict(kind="inception_v3", align_corners=not counted))


def _generator(state: State) -> Sizes:
    """The sizes of a G_NET or G_DCGAN."""
    last_only = "img_net.img.0.weight" in state
    conditions, units = _shape(state, "ca_net.fc.weight", 2)
    _, inputs = _shape(state, "h_net1.fc.0.weight", 2)
    _, filters, _, _ = _shape(state, f"img_net{'' if last_only else 1}.img.0.weight", 4)
    stages = len(_numbers(state, r"h_net(\d+)\."))
    config = dict(
        stages=stages,
        filters=filters,
        noise_dim=inputs - conditions // 4,
        condition_dim=conditions // 4,
        residual_blocks=len(_numbers(state, r"h_net2\.residual\.(\d+)\.")),
        base_size=BASE_SIZE,
        normalize_sentence=False,
        logvar_bias=0.0,
        attention="textual",
        image_heads="last" if last_only else "all",
    )
    drawn = range(stages - 1 if last_only else 0, stages)
    return Sizes(units, config, image_sizes=tuple(BASE_SIZE * 2**i for i in drawn))


def _discriminator(state: State) -> Sizes:
    """The sizes of a D_NET."""
    filters, _, _, _ = _shape(state, "img_code_s16.0.weight", 4)
    _, joined, _, _ = _shape(state, "COND_DNET.jointConv.0.weight", 4)
    config = dict(
        filters=filters,
        norm="batch",
        normalize_sentence=False,
        unconditional=any(key.startswith("UNCOND_DNET.") for key in state),
    )
    halvings = len(_numbers(state, r"img_code_s(\d+)\."))  # down to 4x4, the first to 1 / 16
    return Sizes(joined - 8 * filters, config, image_sizes=(32 * 2**halvings,))


_SIZES = {
    "text_encoder": _text_encoder,
    "image_encoder": _image_encoder,
    "generator": _generator,
    "discriminator": _discriminator,
}


def _shape(state, key, rank):
    if key not in state:
        raise UserError(f"lacks {key}")
    shape = state[key].shape
    if len(shape) != rank or 0 in shape:
        raise UserError(f"{key} is {shape}, expected {rank} dimensions")
    return shape


def _numbers(state, pattern):
    """The different numbers that a pattern finds in the keys."""
    return {int(match[1]) for key in state if (match := re.match(pattern, key))}
