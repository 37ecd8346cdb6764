"""Options of GAN training: each does what its paper says, within its range."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from configs import cub_attngan1, tiny
from t2i_tf.networks import build
from t2i_tf.training import losses
from t2i_tf.training.build import build_attngan
from t2i_tf.training.diffaugment import POLICIES
from t2i_tf.training.machinery import replicas
from t2i_tf.training.options import GanOptions
from tests.t2i_tf.test_presets import VOCABULARY, batch


def model(seed=0, **options):
    """The smallest preset's twin with options of either section, and a batch for it."""
    keras.utils.set_random_seed(seed)
    config = cub_attngan1.get_config("tiny").unlock()
    config.train.update(steps=100, decay_start=100)
    for name, value in options.items():
        config["loss" if name in config.loss else "train"][name] = value
    encoders = build.text_encoder(config, VOCABULARY), build.image_encoder(config)
    network = build_attngan(config, encoders)
    return network, batch(config, network.generator.image_sizes, np.random.default_rng(0))


def seen_by(network, function="features"):
    """Records the batches of images that a network's function is called with."""
    seen, call = [], getattr(network, function)

    def recorded(images, *args, **kwargs):
        seen.extend(tf.split(images, kwargs.get("groups", 1)))
        return call(images, *args, **kwargs)

    setattr(network, function, recorded)
    return seen


def test_hinge_losses_by_hand():
    real, fake = np.array([2.0, 0.5], "f"), np.array([-3.0, 0.5], "f")
    loss = losses.discriminator_loss(None, real, None, fake, fake[1:], kind="hinge")
    assert float(loss) == pytest.approx(0.25 + (0.75 + 1.5) / 2)
    assert float(losses.generator_loss(fake, kind="hinge")) == pytest.approx(1.25)


def test_r1_by_hand():
    gradients = np.zeros((2, 4, 4, 3), "f")
    gradients[0, 0, 0] = 3.0, 0.0, 4.0
    assert float(losses.r1_penalty(gradients)) == pytest.approx(0.5 * (25 + 0) / 2)


@pytest.mark.parametrize("option", ["r1_penalty", "gradient_penalty"])
def test_penalties_enter_the_discriminators_alone(option):
    plain, data = model()
    punished, _ = model(**{option: 1000.0})
    plain_logs, logs = plain.train_step(data), punished.train_step(data)
    for i in range(2):
        assert float(logs[f"d_loss_{i}"]) == pytest.approx(float(plain_logs[f"d_loss_{i}"]))
        ratio = float(logs[f"d_gradient_norm_{i}"]) / float(plain_logs[f"d_gradient_norm_{i}"])
        assert abs(ratio - 1) > 1e-3


def test_r1_pulls_the_gradient_by_real_images_down():
    network, data = model(r1_penalty=10.0, discriminator_learning_rate=1e-3)
    images, captions = data["images"][0], network.text_encoder(data["tokens"])[1]

    def steepness():
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = sum(network.discriminators[0](images, captions, training=True))
        return float(losses.r1_penalty(tape.gradient(logits, images)))

    before = steepness()
    for _ in range(10):
        network.train_step(data)
    assert steepness() < 0.7 * before


def test_two_generator_steps_after_one_of_the_discriminators():
    network, data = model(generator_steps=2)
    drawn = seen_by(network.discriminators[0])
    network.train_step(data)
    assert int(network.generator_optimizer.iterations) == 2
    assert [int(o.iterations) for o in network.discriminator_optimizers] == [1, 1]
    real, fake, first, second = drawn  # by D, then by each turn of G
    np.testing.assert_array_equal(fake, first)
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_array_equal(real, data["images"][0])


def test_schedules_count_training_steps_whatever_the_generator_takes():
    network, _ = model(generator_steps=2, steps=10, decay_start=5, damsm_warmup_steps=14)
    network.generator_optimizer.iterations.assign(2 * 7)
    network.discriminator_optimizers[0].iterations.assign(7)
    optimizers = network.generator_optimizer, network.discriminator_optimizers[0]
    for optimizer in optimizers:
        assert float(optimizer.learning_rate) == pytest.approx(0.6 * 2e-4)
    assert float(network.damsm_weight()) == pytest.approx(network.options.damsm_weight / 2)


def test_diffaugment_reaches_the_discriminators_and_never_damsm():
    network, data = model(diffaugment=tuple(POLICIES))
    judged = seen_by(network.discriminators[-1])
    matched = seen_by(network.image_encoder, "call")
    generated = []
    draw = network.generator.call

    def recorded(*args, **kwargs):
        generated.append(draw(*args, **kwargs))
        return generated[-1]

    network.generator.call = recorded
    network.train_step(data)
    (images,) = (drawn["images"][-1] for drawn in generated)
    np.testing.assert_array_equal(matched[0], images)
    real, fake, of_generator = judged
    for seen, plain in ((real, data["images"][-1]), (fake, images), (of_generator, images)):
        changed = np.abs(seen - plain).max(axis=(1, 2, 3))
        assert (changed > 0.05).all()
    assert np.abs(fake - of_generator).max() > 0.05


def test_the_averages_decay_is_reached_after_its_warm_up():
    network, data = model(ema_decay=0.3)
    for _ in range(3):
        before = [v.numpy() for v in network.ema_generator.trainable_variables or []]
        before = before or [v.numpy() for v in network.ema_generator.variables]
        network.train_step(data)
    after = network.ema_generator.variables
    # (1 + 3) / (10 + 3) is past 0.3, which therefore is the decay of the third step.
    for old, new, current in zip(before, after, network.generator.variables, strict=True):
        expected = 0.3 * old + 0.7 * current.numpy() if current.trainable else current.numpy()
        np.testing.assert_allclose(new.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_trains_full_precision_weights(precision):
    network, data = model(precision=precision)
    full, _ = model()
    assert keras.config.dtype_policy().name == "float32"
    before = [v.numpy() for v in network.generator.trainable_variables]
    logs, expected = network.train_step(data), full.train_step(data)
    assert network.generator.compute_dtype == precision.removeprefix("mixed_")
    assert {v.dtype for v in network.generator.variables} == {"float32"}
    for name in ("d_loss_0", "d_loss_1", "g_loss_0", "g_loss_1", "kl_loss"):
        assert float(logs[name]) == pytest.approx(float(expected[name]), rel=0.1), name
    for i in range(2):  # unscaled again
        norm = float(logs[f"d_gradient_norm_{i}"])
        assert norm == pytest.approx(float(expected[f"d_gradient_norm_{i}"]), rel=0.3)
    for _ in range(15):  # float16's first scales are too large for the generator
        if network.generator_optimizer.iterations > 0:
            break
        network.train_step(data)
    changed = [
        np.abs(v.numpy() - b).max()
        for v, b in zip(network.generator.trainable_variables, before, strict=True)
    ]
    assert min(changed) > 0


def test_an_overflow_in_float16_skips_the_step_and_halves_the_scale():
    network, data = model(precision="mixed_float16")
    optimizer = network.discriminator_optimizers[0]
    optimizer.dynamic_scale.assign(2.0**120)
    before = [v.numpy() for v in network.discriminators[0].trainable_variables]
    network.train_step(data)
    assert float(optimizer.dynamic_scale) == 2.0**119
    for old, new in zip(before, network.discriminators[0].trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_a_compiled_step_equals_a_plain_one(rng, monkeypatch):
    plain, data = model()
    compiled, _ = model()
    noise = tf.constant(rng.normal(size=(4, 16)).astype("float32"))
    # XLA turns the same bits into other normal numbers.
    monkeypatch.setattr(replicas, "random_rows", lambda *args: noise)
    expected = plain.train_step(data)
    logs = tf.function(compiled.train_step, jit_compile=True)(data)
    for name, value in expected.items():
        assert float(logs[name]) == pytest.approx(float(value), rel=1e-3, abs=1e-4), name


def test_steps_of_one_execution_are_steps():
    network, data = model(steps_per_execution=2)
    one = tf.data.Dataset.from_tensors(data).repeat()
    network.fit(one, epochs=1, steps_per_epoch=4, verbose=0)
    assert int(network.generator_optimizer.iterations) == 4


def valid():
    return tiny.get_config().loss.to_dict()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("adversarial_loss", "foo"),
        ("adversarial_loss", "Hinge"),
        ("diffaugment", ("color", "foo")),
        ("diffaugment", "color"),  # its letters
        ("generator_steps", 0),
        ("generator_steps", -1),
        ("ema_decay", -0.1),
        ("ema_decay", 1.0),
        ("ema_decay", float("nan")),
        *(
            (name, value)
            for name in (
                "damsm_weight",
                "damsm_warmup_steps",
                "kl_weight",
                "gradient_penalty",
                "r1_penalty",
                "diversity_weight",
                "diversity_limit",
            )
            for value in (-1, float("nan"))
        ),
    ],
)
def test_an_option_out_of_its_range_is_named(name, value):
    with pytest.raises(ValueError, match=rf"^{name} must be .*, got ") as error:
        GanOptions(**valid() | {name: value})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("damsm_weight", 0.0),
        ("damsm_warmup_steps", 0),
        ("ema_decay", 0.0),
        ("generator_steps", 3),
        ("adversarial_loss", "hinge"),
        ("diffaugment", ["color", "cutout"]),
        ("diffaugment", ()),
    ],
)
def test_an_option_at_the_edge_of_its_range_is_taken(name, value):
    options = GanOptions(**valid() | {name: value})
    assert getattr(options, name) == (tuple(value) if name == "diffaugment" else value)


def test_options_are_complete_and_do_not_change():
    for name in valid():
        with pytest.raises(TypeError, match=name):
            GanOptions(**{key: value for key, value in valid().items() if key != name})
    with pytest.raises(TypeError, match="foo"):
        GanOptions(**valid(), foo=1)
    options = GanOptions(**valid())
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.kl_weight = 2.0
    assert {field.name for field in dataclasses.fields(options)} == valid().keys()
