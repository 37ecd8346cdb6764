"""The two models' steps: what they change, what they leave alone, and what they depend on."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from configs import tiny, tiny_damsm
from t2i_tf.networks import build
from t2i_tf.training.build import build_attngan, build_damsm
from t2i_tf.training.damsm import encode_captions, matching_losses
from t2i_tf.training.machinery import replicas

VOCABULARY = 30


def shrink(config):
    """The preset with the smallest networks."""
    config = config.copy_and_resolve_references()
    config.unlock()
    config.data.max_words = 6
    config.text_encoder.units = 8
    config.text_encoder.embedding_dim = 6
    config.image_encoder.filters = 4
    if "generator" in config:
        config.generator.filters = 4
        config.generator.noise_dim = 5
        config.generator.condition_dim = 5
        config.discriminator.filters = 4
    return config


@pytest.fixture
def batch(rng):
    tokens = rng.integers(1, VOCABULARY, (4, 6)).astype("int32")
    tokens[1, 4:] = 0
    wrong = tokens.copy()
    wrong[:3, :2] = tokens[:3, 1::-1]
    values = {
        "images": tuple(rng.uniform(-1, 1, (4, s, s, 3)).astype("float32") for s in (32, 64)),
        "tokens": tokens,
        "wrong_tokens": wrong,
        "class_id": np.arange(4, dtype="int32"),
        "index": np.arange(8, 12),
    }
    return tf.nest.map_structure(tf.constant, values)


@pytest.fixture
def attngan():
    keras.utils.set_random_seed(0)
    config = shrink(tiny.get_config())
    encoders = build.text_encoder(config, VOCABULARY), build.image_encoder(config)
    return build_attngan(config, encoders)


def weights(network):
    return [np.array(variable) for variable in network.trainable_variables or network.variables]


def losses_of(model, batch):
    """DAMSM's four losses of a batch, as they are."""
    captions = encode_captions(model.text_encoder, batch)
    regions, codes = model.image_encoder(batch["images"][-1])
    return matching_losses(captions, regions, codes, batch["class_id"], model.gammas)


def unchanged(before, after):
    return all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_damsm_learns_to_match_a_batch(batch):
    keras.utils.set_random_seed(0)
    model = build_damsm(shrink(tiny_damsm.get_config()), VOCABULARY)
    first = sum(float(loss) for loss in losses_of(model, batch).values())
    for _ in range(30):
        model.train_step(batch)
    last = sum(float(loss) for loss in losses_of(model, batch).values())
    assert last < 0.8 * first


def test_exchanged_words_make_damsm_distinguish_orders(batch):
    model = build_damsm(shrink(tiny_damsm.get_config()), VOCABULARY)
    alone = losses_of(model, {k: v for k, v in batch.items() if k != "wrong_tokens"})
    joined = losses_of(model, batch)
    for name in ("word", "sentence"):
        assert float(joined[f"{name}_image_to_text"]) > float(alone[f"{name}_image_to_text"])
        same = float(alone[f"{name}_text_to_image"])
        assert float(joined[f"{name}_text_to_image"]) == pytest.approx(same, rel=1e-5)


def test_a_step_trains_generator_and_discriminators_and_nothing_else(attngan, batch):
    trained = [attngan.generator, *attngan.discriminators]
    frozen = [attngan.text_encoder, attngan.image_encoder]
    before = [weights(network) for network in trained + frozen]
    logs = attngan.train_step(batch)
    assert all(np.isfinite(float(value)) for value in logs.values())
    after = [weights(network) for network in trained + frozen]
    changed = [not unchanged(b, a) for b, a in zip(before, after, strict=True)]
    assert changed == [True, True, True, False, False]


def test_the_average_follows_the_generator(attngan, batch):
    start = weights(attngan.generator)
    attngan.train_step(batch)
    decay = (1 + 1) / (10 + 1)  # the warm-up's after one step
    by_name = {v.path.split("/", 1)[1]: np.array(v) for v in attngan.ema_generator.variables}
    for variable, old in zip(attngan.generator.trainable_variables, start, strict=True):
        expected = decay * old + (1 - decay) * np.array(variable)
        found = by_name[variable.path.split("/", 1)[1]]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_random_draws_depend_on_the_examples_and_the_purpose_only(attngan):
    def draw(first, *purpose):
        index = tf.range(first, first + 3, dtype=tf.int64)
        return replicas.random_rows(tf.random.stateless_normal, index, 4, attngan.seed, *purpose)

    one = draw(8, 0, 1)
    assert one.shape == (3, 4)
    np.testing.assert_array_equal(one, draw(8, 0, 1))
    for other in (draw(11, 0, 1), draw(8, 1, 1), draw(8, 0, 0)):
        assert np.all(one != other)


def test_without_exchanged_words_and_twins_the_step_is_the_papers(batch):
    keras.utils.set_random_seed(0)
    config = shrink(tiny.get_config())
    config.loss.diversity_weight = 0.0
    encoders = build.text_encoder(config, VOCABULARY), build.image_encoder(config)
    model = build_attngan(config, encoders)
    logs = model.train_step({k: v for k, v in batch.items() if k != "wrong_tokens"})
    assert float(logs["diversity"]) == 0.0
    expected = float(logs["g_loss_0"]) + float(logs["g_loss_1"])
    expected += config.loss.kl_weight * float(logs["kl_loss"])
    # The first step of the warm-up gives the matching losses no weight.
    assert float(logs["g_loss"]) == pytest.approx(expected, rel=1e-5)
