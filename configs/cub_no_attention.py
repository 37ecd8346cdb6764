"""Stages without attention and matching losses for CUB birds at 256 px, like StackGAN-v2.

It trains as cub_attngan2, so that the two can be compared.
"""

from configs import cub_attngan2
from configs.sizes import sized


def get_config(size="full"):
    config = cub_attngan2.get_config().unlock()
    config.name = "cub_no_attention"
    config.generator.attention = "none"
    config.loss.damsm_weight = 0.0
    return sized(config, size)
