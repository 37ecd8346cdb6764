"""AttnGAN of two attention stages at half width for the drawn birds of full variety, 256 px."""

from configs import birds256_damsm, tiny


def get_config():
    damsm = birds256_damsm.get_config()
    config = tiny.get_config().unlock()
    config.name = "birds256"
    config.data = damsm.data.copy_and_resolve_references()
    config.data.image_size = 256
    config.text_encoder = damsm.text_encoder
    config.image_encoder = damsm.image_encoder
    config.generator.update(stages=3, base_size=64, residual_blocks=2)
    config.generator.update(noise_dim=64, condition_dim=64)
    config.discriminator.filters = 32
    config.train.update(batch_size=16, precision="mixed_bfloat16")
    return config.lock()
