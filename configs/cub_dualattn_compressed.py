"""The DualAttn-GAN that a student project published, for CUB birds at 256 px.

Only its generator's structure is published; all numbers and the discriminators are cub_attngan2's.
"""

from configs import cub_attngan2
from configs.sizes import sized


def get_config(size="full"):
    config = cub_attngan2.get_config().unlock()
    config.name = "cub_dualattn_compressed"
    config.generator.attention = "dual_compressed"
    return sized(config, size)
