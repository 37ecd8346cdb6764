"""DualAttn-GAN (Cai et al., 2019) for CUB birds at 256 px, trained as cub_attngan2."""

from configs import cub_attngan2
from configs.sizes import sized


def get_config(size="full"):
    config = cub_attngan2.get_config().unlock()
    config.name = "cub_dualattn"
    config.generator.attention = "dual"
    config.discriminator.norm = "spectral"
    return sized(config, size)
