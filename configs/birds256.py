"""AttnGAN of two attention stages at half width for the drawn birds of full variety, 256 px.

`--config=birds256:damsm` is its DAMSM, which sees pictures at 64 px.
"""

from configs import tiny, tiny_damsm

SCENERY = (("left", "right"), ("branch", "ground", "rock", "stump"), ("pale", "dark"))


def get_config(part="gan"):
    if part not in ("gan", "damsm"):
        raise ValueError(f"a part of birds256 is gan or damsm, got {part!r}")
    config = {"gan": tiny, "damsm": tiny_damsm}[part].get_config().unlock()
    config.name = "birds256" if part == "gan" else "birds256_damsm"
    config.data.max_words = 28
    config.data.crop_jitter = 1.0
    config.data.exchange_words = (*config.data.exchange_words, *SCENERY)
    config.image_encoder.filters = 32
    if part == "damsm":
        config.train.update(steps=5000, decay_steps=220)
        return config.lock()
    config.data.image_size = 256
    config.generator.update(stages=3, base_size=64, residual_blocks=2)
    config.generator.update(noise_dim=64, condition_dim=64)
    config.discriminator.filters = 32
    config.train.update(batch_size=16, precision="mixed_bfloat16")
    return config.lock()
