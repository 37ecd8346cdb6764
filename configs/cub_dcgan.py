"""AttnDCGAN for CUB birds at 256 px as published: one image, one conditional discriminator.

400 epochs, batch 30, lambda 1.
"""

from configs import cub_attngan2
from configs.sizes import sized


def get_config(size="full"):
    config = cub_attngan2.get_config().unlock()
    config.name = "cub_dcgan"
    config.generator.update(image_heads="last", residual_blocks=0)
    config.discriminator.unconditional = False
    config.train.update(batch_size=30, epochs=400)
    config.loss.damsm_weight = 1.0
    return sized(config, size)
