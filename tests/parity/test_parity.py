"""Equality with the published PyTorch code, number for number (see tests/parity)."""

import math

import numpy as np
import pytest

from data_pipeline.support.errors import UserError
from t2i_tf.networks.discriminator import Discriminator
from t2i_tf.networks.generator import Generator
from t2i_tf.networks.image_encoder import build_image_encoder
from t2i_tf.published import weights as reference_weights
from tests.parity.fixture import load, published_models
from tests.parity.full_size import map_shapes
from tests.parity.networks import (
    generator,
    image_encoder_weights,
    text_encoder,
)
from tests.parity.table import CASES, TABLE, measure


@pytest.mark.parametrize("name", CASES)
def test_equals_the_reference(name):
    for quantity, (difference, tolerance) in measure(name).items():
        assert difference <= tolerance, quantity


@pytest.mark.parametrize("model", published_models())
def test_presets_have_the_published_models_variables(model):
    shapes = published_models()[model]
    network, given = map_shapes(model, shapes)
    assert given == {v.path: tuple(v.shape) for v in network.weights}
    assert len(given) == len(network.weights)
    published = sum(math.prod(s) for k, s in shapes.items() if not k.endswith("batches_tracked"))
    if model.startswith("text_encoder"):  # PyTorch's LSTM has a second bias beside the first
        published -= math.prod(shapes["rnn.bias_hh_l0"]) + math.prod(
            shapes["rnn.bias_hh_l0_reverse"]
        )
    assert network.count_params() == published


def test_the_image_encoder_s_weights_are_the_published_run_s():
    state = image_encoder_weights()
    for key, values in load("image_encoder").facts["first_values"].items():
        np.testing.assert_array_equal(state[key].ravel()[:4], np.float32(values))


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


def test_counters_of_newer_pytorch_are_no_unknown_keys():
    fixture = load("generator_b1")
    counter = {"h_net1.fc.1.num_batches_tracked": np.array(7)}
    network = generator(fixture, fixture.group("w/") | counter)
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
    small = build_image_encoder("small", 8, input_size=64, filters=4)
    with pytest.raises(ValueError, match="inception_v3"):
        reference_weights.assign_image_encoder(small, {})


def test_the_table_names_every_component():
    table = TABLE.read_text(encoding="utf-8")
    assert [name for name in CASES if f"| {name} |" not in table] == []
