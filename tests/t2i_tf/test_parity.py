"""Equality with the published PyTorch code, number for number.

The fixtures hold inputs, weights and outputs of that code (see tests/fixtures/reference/README.md).
`python -m tests.t2i_tf.test_parity` writes the differences to docs/parity.md.
"""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from data_pipeline.errors import UserError
from t2i_tf import reference_weights
from t2i_tf.attention import TextualAttention, word_region_attention
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
    return np.moveaxis(array, 1, -1)


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
    return fixture, actual, {k: channels_last(v) for k, v in fixture.group("out/").items()}


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


# Each returns a fixture, what the component gives and what the reference gave, both by quantity.
CASES = {
    "text encoder, LSTM": functools.partial(text_encoder_case, "lstm"),
    "text encoder, GRU": functools.partial(text_encoder_case, "gru"),
    "textual attention": textual_attention_case,
    "DAMSM's attention": damsm_attention_case,
}


def measure(name):
    """(largest difference, tolerance) of every quantity of a case."""
    fixture, actual, expected = CASES[name]()
    assert actual.keys() == expected.keys()
    rows = {}
    for quantity, value in expected.items():
        value_here = ops.convert_to_numpy(actual[quantity])
        assert value_here.shape == value.shape, quantity
        difference = float(np.max(np.abs(value_here - value)))
        rows[quantity] = difference, fixture.tolerance(quantity)
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
