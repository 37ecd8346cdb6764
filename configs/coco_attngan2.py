"""AttnGAN of two attention stages for COCO at 256 px as published: 120 epochs, batch 14."""

from configs import cub_attngan2
from configs.sizes import sized


def get_config(size="full"):
    config = cub_attngan2.get_config().unlock()
    config.name = "coco_attngan2"
    config.data.max_words = 12
    config.generator.update(filters=48, residual_blocks=3)
    config.discriminator.filters = 96
    config.train.update(batch_size=14, epochs=120)
    config.loss.damsm_weight = 50.0
    return sized(config, size)
