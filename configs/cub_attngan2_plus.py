"""AttnGAN++ (Dinh et al., 2022, arXiv:2112.01398): cub_attngan2 with spectral norm and GF 64.

The sizes are those of the published yml. It says nothing of training, so the preset trains as
cub_attngan2 does.
"""

from configs import cub_attngan2
from configs.sizes import sized


def get_config(size="full"):
    config = cub_attngan2.get_config().unlock()
    config.name = "cub_attngan2_plus"
    config.generator.filters = 64
    config.discriminator.update(filters=32, norm="spectral")
    return sized(config, size)
