"""AttnGAN of one attention stage for CUB birds at 128 px as published: 600 epochs."""

from configs import cub_attngan2
from configs.sizes import sized


def get_config(size="full"):
    config = cub_attngan2.get_config().unlock()
    config.name = "cub_attngan1"
    config.data.image_size = 128
    config.generator.stages = 2
    return sized(config, size)
