"""Equality with the published PyTorch code, number for number.

The fixtures hold inputs, weights and outputs of that code (see tests/fixtures/reference/README.md).
`python -m tests.t2i_tf.test_parity` writes the differences to docs/parity.md.
"""

import contextlib
import functools
import json
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from data_pipeline.errors import UserError
from t2i_tf import losses, reference_weights
from t2i_tf.attention import TextualAttention, word_region_attention
from t2i_tf.layers import ConditioningAugmentation
from t2i_tf.networks.generator import Generator
from t2i_tf.networks.text_encoder import TextEncoder

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "reference"
TABLE = ROOT / "docs" / "parity.md"


class Fixture:
    """Arrays of one reference run, its config and the tolerances that it sets."""

    def __init__(self, name):
        facts = json.loads((FIXTURES / "manifest.json").read_text())[name]
        self.config, self.own_error = facts["config"], facts["f64_diff"]
        with np.load(FIXTURES / f"{name}.npz") as arrays:
            self.arrays = dict(arrays)

    def __getitem__(self, key):
        return self.arrays[key]

    def group(self, prefix):
        """The arrays under `prefix`, by the rest of their names."""
        return {k.removeprefix(prefix): v for k, v in self.arrays.items() if k.startswith(prefix)}

    def tolerance(self, quantity):
        """Ten times the reference's own float32 error, but at least 1e-5."""
        return max(10 * self.own_error.get(quantity, 0.0), 1e-5)


load = functools.cache(Fixture)


def channels_last(array):
    """Moves the channels of maps and words to the end; codes and scalars stay as they are."""
    return np.moveaxis(array, 1, -1) if array.ndim > 2 else array


def all_channels_last(arrays):
    return {name: channels_last(array) for name, array in arrays.items()}


@contextlib.contextmanager
def unbiased_running_variance():
    """BatchNormalization keeps the unbiased variance, as PyTorch does; Keras keeps the biased."""
    keras_call = keras.layers.BatchNormalization.call

    def call(self, inputs, training=None, mask=None):
        kept = self.momentum * self.moving_variance.numpy()
        outputs = keras_call(self, inputs, training=training, mask=mask)
        if training:
            count = np.prod(inputs.shape[:-1])
            added = self.moving_variance.numpy() - kept
            self.moving_variance.assign(kept + added * count / (count - 1))
        return outputs

    with mock.patch.object(keras.layers.BatchNormalization, "call", call):
        yield


def running_statistics(network):
    """BatchNorm's running means and variances, by path within the network."""
    return {
        variable.path.partition("/")[2]: ops.convert_to_numpy(variable)
        for variable in network.non_trainable_variables
        if "moving_" in variable.path
    }


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
    return (
        fixture,
        actual,
        {
            "words_emb": channels_last(fixture["out/words_emb"]),
            "sent_emb": fixture["out/sent_emb"],
        },
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
    expected = fixture["out/att"]
    actual = {
        "weighted_context": np.array(context)[rows, rows],
        "att": np.array(attention)[rows, rows].reshape(expected.shape),
    }
    return (
        fixture,
        actual,
        {
            "weighted_context": channels_last(fixture["out/weighted_context"]),
            "att": expected,
        },
    )


def condition_case():
    fixture = load("ca_net")
    layer = ConditioningAugmentation(fixture.config["CONDITION_DIM"])
    layer.build(fixture["in/sent_emb"].shape)
    layer.dense.set_weights([fixture["w/fc.weight"].T, fixture["w/fc.bias"]])
    codes = layer(fixture["in/sent_emb"], fixture["in/eps"])
    return fixture, dict(zip(("c_code", "mu", "logvar"), codes, strict=True)), fixture.group("out/")


def generator(fixture, state):
    """A generator of a fixture's size, with weights."""
    c, words = fixture.config, channels_last(fixture["in/words_emb"])
    network = Generator(c["BRANCH_NUM"], c["GF_DIM"], c["Z_DIM"], c["CONDITION_DIM"], c["R_NUM"])
    inputs = (
        fixture["in/sent_emb"],
        words,
        ~fixture["in/mask"],
        fixture["in/z"],
        fixture["in/eps"],
    )
    network(*inputs)
    reference_weights.assign_generator(network, state)
    return network, inputs


def generated(network, inputs, training=False):
    """The outputs under the fixtures' names."""
    drawn = network(*inputs, training=training)
    named = {"mu": drawn["mu"], "logvar": drawn["logvar"]}
    named |= {f"img{i}": image for i, image in enumerate(drawn["images"])}
    return named | {f"att{i}": attention for i, attention in enumerate(drawn["attention"])}


def generator_case(stages):
    fixture = load(f"generator_b{stages}")
    actual = generated(*generator(fixture, fixture.group("w/")))
    expected = {k: v for k, v in fixture.group("out/").items() if not k.startswith("train/")}
    return fixture, actual, all_channels_last(expected)


def generator_in_training_case():
    fixture = load("generator_b2")
    network, inputs = generator(fixture, fixture.group("w/"))
    with unbiased_running_variance():
        outputs = generated(network, inputs, training=True)
    expected = all_channels_last(fixture.group("out/train/"))
    actual = {name: outputs[name] for name in ("img0", "img1", "att0")}
    after, _ = generator(fixture, fixture.group("w/") | fixture.group("after/"))
    return (
        fixture,
        {f"train/{k}": v for k, v in (actual | running_statistics(network)).items()},
        {f"train/{k}": v for k, v in (expected | running_statistics(after)).items()},
    )


def kl_case():
    fixture = load("kl_loss")
    kl = losses.kl_loss(fixture["in/mu"], fixture["in/logvar"])
    return fixture, {"kl": kl}, fixture.group("out/")


def damsm_inputs():
    """The fixture, its gammas, word mask, and inputs by name."""
    fixture = load("losses_damsm")
    gammas = [fixture.config[f"GAMMA{i}"] for i in (1, 2, 3)]
    names = ("words_emb", "sent_emb", "img_features", "cnn_code")
    inputs = {name: tf.constant(channels_last(fixture[f"in/{name}"])) for name in names}
    mask = np.arange(inputs["words_emb"].shape[1]) < fixture["in/cap_lens"][:, None]
    return fixture, gammas, mask, inputs


def damsm_scores_case():
    fixture, (gamma1, gamma2, gamma3), mask, inputs = damsm_inputs()
    regions, words = inputs["img_features"], inputs["words_emb"]
    flat = ops.reshape(regions, (len(mask), -1, regions.shape[-1]))
    word_scores = losses.word_scores(words, flat, mask, gamma1, gamma2)
    sentence_scores = losses.sentence_scores(inputs["sent_emb"], inputs["cnn_code"])
    _, attention = word_region_attention(words, flat, mask, gamma1)
    expected = {f"noclass/{name}_sim": fixture[f"out/noclass/{name}_sim"] for name in "ws"}
    actual = {"noclass/w_sim": gamma3 * word_scores, "noclass/s_sim": gamma3 * sentence_scores}
    for i, length in enumerate(fixture["in/cap_lens"]):
        expected[f"att_map_{i}"] = fixture[f"out/att_map_{i}"][0]
        actual[f"att_map_{i}"] = ops.reshape(
            attention[i, i, :length], (length, *regions.shape[1:3])
        )
    return fixture, actual, expected


def damsm_losses_case(classes):
    """The four losses and, with classes, the gradients of the words' and the sentences' pair."""
    fixture, gammas, mask, inputs = damsm_inputs()
    ids = fixture["in/class_ids"] if classes == "class" else np.arange(len(mask))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        values = losses.damsm_losses(
            (inputs["words_emb"], inputs["sent_emb"], mask),
            (inputs["img_features"], inputs["cnn_code"]),
            ids,
            gammas,
        )
        pairs = {
            kind: [values[f"{kind}_image_to_text"], values[f"{kind}_text_to_image"]]
            for kind in ("word", "sentence")
        }
        sums = {kind: sum(pair) for kind, pair in pairs.items()}
    expected, actual = {}, {}
    for kind, pair in pairs.items():
        for i, value in enumerate(pair):
            name = f"{classes}/{kind[0]}_loss{i}"
            expected[name], actual[name] = fixture[f"out/{name}"], value
    if classes == "class":
        of = {"words_emb": "word", "img_features": "word"}
        for name, array in inputs.items():
            actual[f"class/grad/{name}"] = tape.gradient(sums[of.get(name, "sentence")], array)
            expected[f"class/grad/{name}"] = channels_last(fixture[f"grad/class/{name}"])
    return fixture, actual, expected


# Each returns a fixture, what the component gives and what the reference gave, both by quantity.
CASES = {
    "text encoder, LSTM": functools.partial(text_encoder_case, "lstm"),
    "text encoder, GRU": functools.partial(text_encoder_case, "gru"),
    "textual attention": textual_attention_case,
    "DAMSM's attention": damsm_attention_case,
    "conditioning augmentation": condition_case,
    "generator, 1 stage": functools.partial(generator_case, 1),
    "generator, 2 stages": functools.partial(generator_case, 2),
    "generator, 2 stages, training": generator_in_training_case,
    "generator, 3 stages": functools.partial(generator_case, 3),
    "generator, 4 stages": functools.partial(generator_case, 4),
    "KL divergence": kl_case,
    "DAMSM's scores": damsm_scores_case,
    "DAMSM's losses and gradients": functools.partial(damsm_losses_case, "class"),
    "DAMSM's losses, all classes different": functools.partial(damsm_losses_case, "noclass"),
}


def measure(name):
    """(largest difference, tolerance) of every quantity of a case."""
    fixture, actual, expected = CASES[name]()
    rows = {}
    for key, value in expected.items():
        quantity, _, step = key.partition("__sub")
        here = ops.convert_to_numpy(actual[quantity])
        if step:
            here = here[:, :: int(step), :: int(step)]
        assert here.shape == value.shape, quantity
        difference = float(np.max(np.abs(here - value)))
        rows[quantity] = difference, fixture.tolerance(quantity)
    assert rows.keys() == actual.keys()
    return rows


@pytest.mark.parametrize("name", CASES)
def test_equals_the_reference(name):
    for quantity, (difference, tolerance) in measure(name).items():
        assert difference <= tolerance, quantity


def test_an_unrolled_text_encoder_equals_the_reference():
    network, fixture = text_encoder("lstm", unroll=True)
    _, sentence = network(fixture["in/captions"])
    np.testing.assert_allclose(sentence, fixture["out/sent_emb"], atol=1e-5)


def test_one_error_lists_all_that_does_not_fit():
    network, fixture = text_encoder("lstm")
    state = fixture.group("w/")
    before = network.get_weights()
    del state["encoder.weight"]
    state["decoder.weight"] = np.zeros(3)
    state["rnn.bias_hh_l0"] = state["rnn.bias_hh_l0"][1:]
    with pytest.raises(UserError) as error:
        reference_weights.assign_text_encoder(network, state)
    assert str(error.value).splitlines()[1:] == [
        "  missing: encoder.weight",
        "  unknown: decoder.weight",
        "  misshapen: rnn.bias_hh_l0 is (63,), expected (64,)",
    ]
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_every_generator_variable_is_assigned():
    fixture = load("generator_b2")
    network, _ = generator(fixture, fixture.group("w/"))
    network.set_weights([np.full(weights.shape, np.nan) for weights in network.get_weights()])
    reference_weights.assign_generator(network, fixture.group("w/"))
    assert all(np.all(np.isfinite(weights)) for weights in network.get_weights())


def test_counters_of_newer_pytorch_are_no_unknown_keys():
    fixture = load("generator_b1")
    counter = {"h_net1.fc.1.num_batches_tracked": np.array(7)}
    network, _ = generator(fixture, fixture.group("w/") | counter)
    with pytest.raises(UserError, match="unknown: h_net9.fc.1.num_batches_tracked"):
        reference_weights.assign_generator(
            network, fixture.group("w/") | {"h_net9.fc.1.num_batches_tracked": np.array(7)}
        )


def test_options_that_the_reference_lacks_are_refused():
    with pytest.raises(ValueError, match="normalize_sentence"):
        reference_weights.assign_generator(Generator(normalize_sentence=True), {})


def test_the_table_names_every_component():
    table = TABLE.read_text(encoding="utf-8")
    assert [name for name in CASES if f"| {name} |" not in table] == []


def write_table():
    """Writes docs/parity.md: one line for each component, its worst quantity."""
    lines = [
        "# Equality with the published PyTorch code",
        "",
        "Largest absolute difference of each component from the published code on the same",
        "weights and inputs (float32, CPU), for the quantity that comes nearest to its tolerance:",
        "ten times the published code's own float32 error against float64, but at least 1e-5.",
        "`python -m tests.t2i_tf.test_parity` writes this page; the tests check every quantity.",
        "",
        "| component | quantities | nearest to its tolerance | difference | tolerance |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in CASES:
        rows = measure(name)
        worst = max(rows, key=lambda quantity: rows[quantity][0] / rows[quantity][1])
        difference, tolerance = rows[worst]
        lines.append(f"| {name} | {len(rows)} | {worst} | {difference:.1e} | {tolerance:.1e} |")
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_table()
