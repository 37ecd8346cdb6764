import pytest

from configs import tiny
from t2i_tf import build


def test_linear_decay_by_hand():
    schedule = build.LinearDecay(0.4, start=10, end=20)
    rates = [float(schedule(step)) for step in (0, 10, 15, 20, 30)]
    assert rates == pytest.approx([0.4, 0.4, 0.2, 0.0, 0.0])


def test_learning_rates_fall_no_further_than_their_floor():
    constant = build.LinearDecay(0.5, 100, 100)
    floored = build.FlooredSchedule(build.LinearDecay(0.5, 0, 10), 0.05)
    assert float(constant(50)) == pytest.approx(0.5)
    assert [float(floored(step)) for step in (0, 5, 10)] == pytest.approx([0.5, 0.25, 0.05])


def test_the_average_starts_at_the_generator_and_encoders_are_frozen():
    config = tiny.get_config()
    text_encoder, image_encoder = build.text_encoder(config, 30), build.image_encoder(config)
    model = build.attngan(config, (text_encoder, image_encoder))
    for mine, averaged in zip(
        model.generator.get_weights(), model.ema_generator.get_weights(), strict=True
    ):
        assert (mine == averaged).all()
    assert not text_encoder.trainable_variables
    assert not image_encoder.trainable_variables
    assert [network.image_size for network in model.discriminators] == [32, 64]
