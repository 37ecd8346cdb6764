"""Equality with the published PyTorch code, number for number (see tests/parity)."""

import numpy as np
import pytest

from data_pipeline.errors import UserError
from t2i_tf import reference_weights
from t2i_tf.networks.discriminator import Discriminator
from t2i_tf.networks.generator import Generator
from tests.parity.fixture import load
from tests.parity.networks import discriminator, generator, text_encoder
from tests.parity.table import CASES, TABLE, measure


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


def test_every_variable_is_assigned():
    text, images, judged = (
        load(name) for name in ("text_encoder_gru", "generator_b3", "discriminator_256")
    )
    for network, assign, fixture in (
        (text_encoder("gru")[0], reference_weights.assign_text_encoder, text),
        (generator(images, images.group("w/"))[0], reference_weights.assign_generator, images),
        (
            discriminator(judged, 256, judged.group("w/")),
            reference_weights.assign_discriminator,
            judged,
        ),
    ):
        variables = [v for v in network.variables if "seed_generator" not in v.path]
        for variable in variables:
            variable.assign(np.full(variable.shape, np.nan))
        assign(network, fixture.group("w/"))
        assert [v.path for v in variables if not np.all(np.isfinite(v.numpy()))] == []


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
    for options in (dict(norm="spectral"), dict(normalize_sentence=True), dict(image_size=32)):
        network = Discriminator(**{"image_size": 64, **options})
        with pytest.raises(ValueError, match="at least 64 pixels"):
            reference_weights.assign_discriminator(network, {})


def test_the_table_names_every_component():
    table = TABLE.read_text(encoding="utf-8")
    assert [name for name in CASES if f"| {name} |" not in table] == []
