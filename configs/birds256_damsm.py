"""DAMSM for the drawn birds of full variety, seen at 64 px."""

from configs import tiny_damsm


def get_config():
    config = tiny_damsm.get_config().unlock()
    config.name = "birds256_damsm"
    config.data.max_words = 28
    config.data.crop_jitter = 1.0
    config.image_encoder.filters = 32
    config.train.update(steps=1500, decay_steps=150)
    return config.lock()
