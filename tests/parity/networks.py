"""Cases of the networks and their layers.

A case returns a fixture, what the component gives and what the published code gave, by quantity.
"""

import functools
import zlib

import keras
import numpy as np

from t2i_tf.networks.attention import TextualAttention, word_region_attention
from t2i_tf.networks.discriminator import Discriminator
from t2i_tf.networks.generator import Generator
from t2i_tf.networks.image_encoder import build_image_encoder, resize_bilinear
from t2i_tf.networks.layers import ConditioningAugmentation
from t2i_tf.networks.text_encoder import TextEncoder
from t2i_tf.published import weights as reference_weights
from tests.parity.fixture import (
    all_channels_last,
    channels_last,
    load,
    published_models,
    running_statistics,
    unbiased_running_variance,
)


def text_encoder(cell, **options):
    """The network of a fixture with its weights, and the fixture."""
    fixture = load(f"text_encoder_{cell}")
    c = fixture.config
    network = TextEncoder(c["ntoken"], c["nhidden"], c["ninput"], cell=cell, **options)
    network(fixture["in/captions"])
    reference_weights.assign_text_encoder(network, fixture.group("w/"))
    return network, fixture


def text_encoder_case(cell):
    network, fixture = text_encoder(cell)
    words, sentence = network(fixture["in/captions"])
    length = fixture["in/cap_lens"].max()  # the reference cuts words to the longest caption
    assert not np.any(words[:, length:])
    actual = {"words_emb": words[:, :length], "sent_emb": sentence}
    return fixture, actual, all_channels_last(fixture.group("out/"))


RECIPE = {  # of CNN_ENCODER's weights, from standard normal z; the first that matches the key
    "conv.weight": lambda z: _centred(1.7 * z / np.sqrt(z[0].size)),
    "bn.weight": lambda z: 1 + 0.2 * z,
    "bn.bias": lambda z: -0.1 + 0.2 * z,
    "running_mean": lambda z: 0.2 * z,
    "running_var": lambda z: np.exp(0.3 * z),
    "emb_features.weight": lambda z: z / np.sqrt(768),
    "emb_cnn_code.weight": lambda z: z / np.sqrt(2048),
    "emb_cnn_code.bias": lambda z: 0.1 * z,
}


def _centred(kernels):
    return kernels - kernels.mean(axis=(1, 2, 3), keepdims=True)


@functools.cache
def image_encoder_weights():
    """The state dict that the published image encoder ran with: random, so not worth storing."""
    fixture, state = load("image_encoder"), {}
    for key, shape in published_models()["image_encoder (CNN_ENCODER(256))"].items():
        if key.endswith("num_batches_tracked"):
            continue
        if key.startswith("emb_"):
            shape = (fixture.config["nef"], *shape[1:])
        seed = zlib.crc32(key.encode()) ^ fixture.facts["seed"]
        z = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)
        rule = next(rule for end, rule in RECIPE.items() if key.endswith(end))
        state[key] = rule(z).astype("float32")
    return state


@functools.cache
def image_encoder(align_corners):
    network = build_image_encoder(
        "inception_v3",
        load("image_encoder").config["nef"],
        weights="random",
        align_corners=align_corners,
    )
    network(keras.Input((299, 299, 3)))
    reference_weights.assign_image_encoder(network, image_encoder_weights())
    return network


def image_encoder_case(image_size, align_corners):
    """The outputs, and mean and standard deviation of layers on the way in units of the latter."""
    fixture, network = load("image_encoder"), image_encoder(align_corners)
    images = pictures(fixture, f"image{image_size}")
    regions, code = network(images)
    layers = [network.trunk.get_layer(name).output for name in fixture.facts["probes"]]
    resized = resize_bilinear(images, network.input_size, align_corners)
    outputs = [np.array(x, "float64") for x in keras.Model(network.trunk.input, layers)(resized)]
    run = f"{image_size}_align" if align_corners else str(image_size)
    expected = all_channels_last(fixture.group(f"out/{run}/"))
    stds = expected["probe_stats"][:, 1:]
    actual = {
        "features": regions,
        "cnn_code": code,
        "probe_stats": np.array([(x.mean(), x.std()) for x in outputs]) / stds,
    }
    expected["probe_stats"] = expected["probe_stats"] / stds
    return (
        fixture,
        {f"{run}/{k}": v for k, v in actual.items()},
        {f"{run}/{k}": v for k, v in expected.items()},
    )


def textual_attention_case():
    fixture = load("attention_general")
    weight = fixture["w/conv_context.weight"]
    layer = TextualAttention(weight.shape[0])
    features, words = channels_last(fixture["in/h_code"]), channels_last(fixture["in/words_emb"])
    layer.build(features.shape, words.shape)
    layer.project.kernel.assign(weight[:, :, 0, 0].T)
    context, attention = layer(features, words, ~fixture["in/mask"])
    actual = {"context": context, "att": attention}
    return fixture, actual, all_channels_last(fixture.group("out/"))


def damsm_attention_case():
    fixture = load("func_attention")
    words, regions = channels_last(fixture["in/query"]), channels_last(fixture["in/context"])
    rows = np.arange(len(words))
    context, attention = word_region_attention(
        words,
        regions.reshape(len(rows), -1, regions.shape[-1]),
        np.ones(words.shape[:2], bool),
        fixture.config["gamma1"],
    )
    expected = {
        "weighted_context": channels_last(fixture["out/weighted_context"]),
        "att": fixture["out/att"],
    }
    actual = {
        "weighted_context": np.array(context)[rows, rows],
        "att": np.array(attention)[rows, rows].reshape(expected["att"].shape),
    }
    return fixture, actual, expected


def condition_case():
    fixture = load("ca_net")
    layer = ConditioningAugmentation(fixture.config["CONDITION_DIM"])
    layer.build(fixture["in/sent_emb"].shape)
    layer.dense.set_weights([fixture["w/fc.weight"].T, fixture["w/fc.bias"]])
    codes = layer(fixture["in/sent_emb"], fixture["in/eps"])
    return fixture, dict(zip(("c_code", "mu", "logvar"), codes, strict=True)), fixture.group("out/")


def generator(fixture, state):
    """A generator of a fixture's size, with weights."""
    c = fixture.config
    network = Generator(
        c["BRANCH_NUM"],
        c["GF_DIM"],
        c["Z_DIM"],
        c["CONDITION_DIM"],
        c["R_NUM"],
        attention=_attention(state),
        image_heads="last" if "img_net.img.0.weight" in state else "all",
    )
    sentence, words = (c["EMBEDDING_DIM"],), (5, c["EMBEDDING_DIM"])
    shapes = sentence, words, words[:1], (c["Z_DIM"],), (c["CONDITION_DIM"],)
    network(*(keras.Input(shape) for shape in shapes))
    reference_weights.assign_generator(network, state)
    return network


def _attention(state):
    return "dual_compressed" if any("dual_attention" in key for key in state) else "textual"


def generator_inputs(fixture):
    return (
        fixture["in/sent_emb"],
        channels_last(fixture["in/words_emb"]),
        ~fixture["in/mask"],
        fixture["in/z"],
        fixture["in/eps"],
    )


def generated(network, fixture, training=False):
    """The outputs under the fixtures' names."""
    drawn = network(*generator_inputs(fixture), training=training)
    named = {"mu": drawn["mu"], "logvar": drawn["logvar"]}
    named |= {f"img{i}": image for i, image in enumerate(drawn["images"])}
    return named | {f"att{i}": attention for i, attention in enumerate(drawn["attention"])}


def generator_case(name):
    fixture = load(f"generator_{name}")
    actual = generated(generator(fixture, fixture.group("w/")), fixture)
    expected = {k: v for k, v in fixture.group("out/").items() if not k.startswith("train/")}
    return fixture, actual, all_channels_last(expected)


def generator_in_training_case():
    fixture = load("generator_b2")
    network = generator(fixture, fixture.group("w/"))
    with unbiased_running_variance():
        outputs = generated(network, fixture, training=True)
    expected = all_channels_last(fixture.group("out/train/"))
    actual = {name: outputs[name] for name in ("img0", "img1", "att0")}
    after = generator(fixture, fixture.group("w/") | fixture.group("after/"))
    return (
        fixture,
        {f"train/{k}": v for k, v in (actual | running_statistics(network)).items()},
        {f"train/{k}": v for k, v in (expected | running_statistics(after)).items()},
    )


def pictures(fixture, name):
    """Stored pictures as a network's input."""
    return channels_last(fixture[f"in/{name}_u8"]).astype("float32") / 127.5 - 1


def discriminator(fixture, image_size, state):
    """A discriminator of a fixture's width, with weights."""
    unconditional = any(key.startswith("UNCOND_DNET") for key in state)
    network = Discriminator(image_size, fixture.config["DF_DIM"], unconditional=unconditional)
    sentence = keras.Input((fixture.config["EMBEDDING_DIM"],))
    network(keras.Input((image_size, image_size, 3)), sentence)
    reference_weights.assign_discriminator(network, state)
    return network


def discriminator_case(image_size, mode):
    fixture = load(f"discriminator_{image_size}")
    network = discriminator(fixture, image_size, fixture.group("w/"))
    training = mode == "train"
    with unbiased_running_variance():
        features = network.features(pictures(fixture, "image"), training=training)
        actual = {
            "features": features,
            "cond_logit": network.conditional(features, fixture["in/sent_emb"], training=training),
            "uncond_logit": network.unconditional(features, training=training),
        }
    state = fixture.group("w/") | (fixture.group("after/") if training else {})
    after = discriminator(fixture, image_size, state)
    actual |= running_statistics(network)
    expected = all_channels_last(fixture.group(f"out/{mode}/")) | running_statistics(after)
    return (
        fixture,
        {f"{mode}/{k}": v for k, v in actual.items()},
        {f"{mode}/{k}": v for k, v in expected.items()},
    )


CASES = {
    "text encoder, LSTM": functools.partial(text_encoder_case, "lstm"),
    "text encoder, GRU": functools.partial(text_encoder_case, "gru"),
    "image encoder, 64 px": functools.partial(image_encoder_case, 64, False),
    "image encoder, 64 px, corners aligned": functools.partial(image_encoder_case, 64, True),
    "image encoder, 256 px": functools.partial(image_encoder_case, 256, False),
    "image encoder, 256 px, corners aligned": functools.partial(image_encoder_case, 256, True),
    "image encoder, 299 px": functools.partial(image_encoder_case, 299, False),
    "textual attention": textual_attention_case,
    "DAMSM's attention": damsm_attention_case,
    "conditioning augmentation": condition_case,
    "generator, 1 stage": functools.partial(generator_case, "b1"),
    "generator, 2 stages": functools.partial(generator_case, "b2"),
    "generator, 2 stages, training": generator_in_training_case,
    "generator, 3 stages": functools.partial(generator_case, "b3"),
    "generator, 4 stages": functools.partial(generator_case, "b4"),
    "generator, 3 stages, last image only": functools.partial(generator_case, "dcgan"),
    "discriminator, 64 px": functools.partial(discriminator_case, 64, "eval"),
    "discriminator, 64 px, training": functools.partial(discriminator_case, 64, "train"),
    "discriminator, 128 px": functools.partial(discriminator_case, 128, "eval"),
    "discriminator, 128 px, training": functools.partial(discriminator_case, 128, "train"),
    "discriminator, 256 px": functools.partial(discriminator_case, 256, "eval"),
    "discriminator, 256 px, training": functools.partial(discriminator_case, 256, "train"),
    "discriminator, 512 px": functools.partial(discriminator_case, 512, "eval"),
    "discriminator, 512 px, training": functools.partial(discriminator_case, 512, "train"),
}
