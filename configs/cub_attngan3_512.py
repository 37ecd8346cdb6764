"""AttnGAN of three attention stages for CUB birds at 512 px: 200 epochs, batch 7."""

from configs import cub_attngan2
from configs.sizes import sized


def get_config(size="full"):
    config = cub_attngan2.get_config().unlock()
    config.name = "cub_attngan3_512"
    config.data.image_size = 512
    config.generator.stages = 4
    config.train.update(batch_size=7, epochs=200, generator_learning_rate=1.5e-4)
    return sized(config, size)
