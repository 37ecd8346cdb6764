import keras
import pytest

from configs import tiny, tiny_damsm
from data_pipeline.support.errors import UserError
from t2i_tf.networks import build
from t2i_tf.training.build import build_attngan, build_damsm
from t2i_tf.training.machinery.optimizers import FusedAdam


def encoders(config):
    return build.text_encoder(config, 30), build.image_encoder(config)


def test_the_average_starts_at_the_generator_and_encoders_are_frozen():
    config = tiny.get_config()
    text_encoder, image_encoder = encoders(config)
    model = build_attngan(config, (text_encoder, image_encoder))
    for mine, averaged in zip(
        model.generator.get_weights(), model.ema_generator.get_weights(), strict=True
    ):
        assert (mine == averaged).all()
    assert not text_encoder.trainable_variables
    assert not model.image_encoder.trainable_variables
    assert not model.ema_generator.trainable_variables
    assert [network.image_size for network in model.discriminators] == [32, 64]


def test_a_checkpoint_holds_what_trains_under_its_own_name():
    config = tiny.get_config()
    model = build_attngan(config, encoders(config))
    names = [part.name for part in model.parts]
    assert names == [
        "generator",
        "ema_generator",
        "discriminator_0",
        "discriminator_1",
        "generator_optimizer",
        "discriminator_0_optimizer",
        "discriminator_1_optimizer",
    ]
    assert [part.name for part in model.frozen] == ["text_encoder", "image_encoder"]
    damsm = build_damsm(tiny_damsm.get_config(), 30)
    assert not damsm.frozen
    assert [part.name for part in damsm.parts] == ["text_encoder", "image_encoder", "optimizer"]
    assert (model.image_sizes, damsm.image_sizes) == ((32, 64), (64,))
    assert model.shown == ("d_loss_1", "g_loss", "word_loss") and damsm.shown == ("loss",)


def test_the_options_reach_what_trains():
    config = tiny.get_config()
    model = build_attngan(config, encoders(config))
    assert {name: getattr(model.options, name) for name in config.loss} == config.loss.to_dict()
    assert (model.gammas, model.seed) == ((4.0, 5.0, 10.0), config.seed)
    assert isinstance(model.generator_optimizer, FusedAdam)
    assert float(model.generator_optimizer.learning_rate) == pytest.approx(6e-4)
    assert float(model.discriminator_optimizers[1].learning_rate) == pytest.approx(1e-3)
    assert model.generator_optimizer.epsilon == 1e-8


def test_damsms_learning_rate_falls_to_a_tenth():
    model = build_damsm(tiny_damsm.get_config(), 30)
    for step, rate in ((0, 0.002), (99, 0.002), (100, 0.0018), (100_000, 0.0002)):
        model.optimizer.iterations.assign(step)
        assert float(model.optimizer.learning_rate) == pytest.approx(rate)


def test_float16_scales_its_losses():
    config = tiny.get_config()
    config.train.precision = "mixed_float16"
    model = build_attngan(config, encoders(config))
    assert isinstance(model.generator_optimizer, keras.optimizers.LossScaleOptimizer)
    assert model.generator_optimizer.name == "generator_optimizer"
    assert model.generator.compute_dtype == "float16"
    assert model.text_encoder.compute_dtype == "float32"


def test_sizes_that_make_no_network_are_told_in_one_line():
    config = tiny.get_config()
    config.generator.noise_dim = -40
    with pytest.raises(UserError, match="^the config does not fit: .*") as error:
        build_attngan(config, encoders(config))
    assert "\n" not in str(error.value)
