"""Determines the network and its sizes from a published state dict's keys and shapes.

Keys are those of AttnGAN's code (Xu et al., 2018, arXiv:1711.10485). Each size is the one that most
of its keys show, so a missing or misshapen key stands out against the others.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping

import numpy as np

from data_pipeline.support.errors import UserError

State = Mapping[str, np.ndarray]
BASE_SIZE = 64  # of the first image: every published generator has four up-blocks
DROPOUT = 0.5
# Sizes of the published bird networks, for sizes that no key shows because keys are missing.
WIDTH, EMBEDDING, FILTERS, CONDITION, NOISE, DISCRIMINATOR_FILTERS = 128, 300, 32, 100, 100, 64

_NETWORKS = {  # its name here and in AttnGAN's code, and how its keys begin
    "text_encoder": ("a text encoder (RNN_ENCODER)", r"encoder\.weight|rnn\."),
    "image_encoder": ("an image encoder (CNN_ENCODER)", "emb_|Conv2d_|Mixed_"),
    "generator": ("a generator (G_NET, G_DCGAN or DualAttn_G_NET)", r"ca_net\.|h_net\d|img_net"),
    "discriminator": ("a discriminator (D_NET)", "img_code_s|COND_DNET|UNCOND_DNET"),
}
_DUAL = "dual_attention_module"  # of the student project's DualAttn_G_NET


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The sizes of a published network.

    Attributes:
        units: E, the length of the sentence codes that it gives or takes; None if no key shows it.
        config: The network's section of the config.
        vocabulary_size: Words that a text encoder knows; None if no key shows it.
        image_sizes: Sides of the images that a generator draws or a discriminator takes.
    """

    units: int | None
    config: dict
    vocabulary_size: int | None = None
    image_sizes: tuple[int, ...] = ()


def of(network: str, state: State) -> Sizes:
    """The sizes of a network.

    Args:
        network: The network that the state dict should hold: `text_encoder`, `image_encoder`,
            `generator` or `discriminator`.
        state: The arrays by key.

    Raises:
        UserError: The state dict holds another network.
    """
    found = {
        name: sum(re.match(keys, key) is not None for key in state)
        for name, (_, keys) in _NETWORKS.items()
    }
    likeliest = max(found, key=found.get)
    if likeliest != network or not found[network]:
        described = f"none of AttnGAN's networks (its keys: {', '.join(list(state)[:3])}, ...)"
        if found[likeliest]:
            described = _NETWORKS[likeliest][0]
        raise UserError(f"expected {_NETWORKS[network][0]}, found {described}")
    return _SIZES[network](state)


def _text_encoder(state: State) -> Sizes:
    """The sizes of an RNN_ENCODER. No weight shows the dropout, so it is the published one."""
    width = _most_common_size(state, (r"rnn\.weight_hh_.*", 2, 1, 1))
    gates = _most_common_size(state, (r"rnn\.(weight|bias)_(ih|hh)_.*", None, 0, width or WIDTH))
    cells = {4: "lstm", 3: "gru"}
    if gates not in cells and width:
        raise UserError(
            f"its rnn weights for {width} units are neither an LSTM's (4 x {width} rows) nor a "
            f"GRU's (3 x {width})"
        )
    embedding = _most_common_size(
        state, (r"encoder\.weight", 2, 1, 1), (r"rnn\.weight_ih_.*", 2, 1, 1)
    )
    units = 2 * (width or WIDTH)
    config = dict(
        cell=cells.get(gates, "lstm"),
        embedding_dim=embedding or EMBEDDING,
        units=units,
        dropout=DROPOUT,
    )
    words = _most_common_size(state, (r"encoder\.weight", 2, 0, 1))
    return Sizes(units if width else None, config, vocabulary_size=words)


def _image_encoder(state: State) -> Sizes:
    """The sizes of a CNN_ENCODER, and whether its GAN was trained with aligned corners.

    PyTorch before 0.4 aligned the corners when it resized pictures to 299 px; PyTorch since 0.4.1
    counts the batches of each BatchNorm.
    """
    units = _most_common_size(
        state, (r"emb_features\.weight", 4, 0, 1), (r"emb_cnn_code\.(weight|bias)", None, 0, 1)
    )
    counted = any(key.endswith("num_batches_tracked") for key in state)
    return Sizes(units, dict(kind="inception_v3", align_corners=not counted))


def _generator(state: State) -> Sizes:
    """The sizes of a G_NET, G_DCGAN or DualAttn_G_NET."""
    dual = any(_DUAL in key for key in state)
    context = r"h_net\d+\.(att|dual_.*\.textual_.*)\.conv_context\.weight"
    last_only = not _numbers(state, r"img_net(\d+)\.")
    units = _most_common_size(state, (r"ca_net\.fc\.weight", 2, 1, 1), (context, 4, 1, 1))
    condition = _most_common_size(state, (r"ca_net\.fc\.(weight|bias)", None, 0, 4)) or CONDITION
    inputs = _most_common_size(state, (r"h_net1\.fc\.0\.weight", 2, 1, 1)) or condition + NOISE
    filters = _most_common_size(
        state,
        (r"img_net\d*\.img\.0\.weight", 4, 1, 1),
        (context, 4, 0, 1),
        (r"h_net1\.fc\.1\.\w+", 1, 0, (1 if dual else 2) * 16 * 16),
        (r"h_net1\.upsample4\.2\.\w+", 1, 0, 2),
        (r"h_net\d+\.upsample\.2\.\w+", 1, 0, 2),
    )
    stages = len(_numbers(state, r"h_net(\d+)\."))
    config = dict(
        stages=stages,
        filters=filters or FILTERS,
        noise_dim=inputs - condition,
        condition_dim=condition,
        residual_blocks=len(_numbers(state, r"h_net2\.residual\.(\d+)\.")),
        base_size=BASE_SIZE,
        normalize_sentence=False,
        logvar_bias=0.0,
        attention="dual_compressed" if dual else "textual",
        image_heads="last" if last_only else "all",
    )
    drawn = range(stages - 1 if last_only else 0, stages)
    return Sizes(units, config, image_sizes=tuple(BASE_SIZE * 2**i for i in drawn))


def _discriminator(state: State) -> Sizes:
    """The sizes of a D_NET."""
    filters = _most_common_size(
        state,
        (r"img_code_s16\.0\.weight", 4, 0, 1),
        (r"img_code_s16\.[23]\.\w+", None, 0, 2),
        (r"img_code_s16\.[56]\.\w+", None, 0, 4),
        (r"img_code_s16\.[89]\.\w+", None, 0, 8),
        (r"COND_DNET\.jointConv\.\d\.\w+", None, 0, 8),
        (r"(UN)?COND_DNET\.outlogits\.0\.weight", 4, 1, 8),
    )
    filters = filters or DISCRIMINATOR_FILTERS
    joined = _most_common_size(state, (r"COND_DNET\.jointConv\.0\.weight", 4, 1, 1)) or 0
    config = dict(
        filters=filters,
        norm="batch",
        normalize_sentence=False,
        unconditional=any(key.startswith("UNCOND_DNET.") for key in state),
    )
    halvings = len(_numbers(state, r"img_code_s(\d+)\."))  # to 4x4: by 16, then by 2 each
    units = joined - 8 * filters
    return Sizes(units if units > 0 else None, config, image_sizes=(32 * 2**halvings,))


_SIZES = {
    "text_encoder": _text_encoder,
    "image_encoder": _image_encoder,
    "generator": _generator,
    "discriminator": _discriminator,
}


def _most_common_size(state, *rules):
    """The size that most keys show; None if no key shows it.

    Args:
        state: The arrays by key.
        *rules: (pattern, rank, axis, unit): a key that matches and has `rank` dimensions (None: any
            number) is `size * unit` long along `axis`.
    """
    told = Counter()
    for key, array in state.items():
        for pattern, rank, axis, unit in rules:
            if re.fullmatch(pattern, key) and array.ndim == (rank or max(array.ndim, 1)):
                size, rest = divmod(array.shape[axis], unit)
                if size and not rest:
                    told[size] += 1
    return told.most_common(1)[0][0] if told else None


def _numbers(state, pattern):
    """The different numbers that a pattern finds in the keys."""
    return {int(match[1]) for key in state if (match := re.match(pattern, key))}
