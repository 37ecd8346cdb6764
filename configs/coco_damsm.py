"""DAMSM for COCO as published: 100 epochs, batch 48."""

from configs import cub_damsm
from configs.sizes import sized


def get_config(size="full"):
    config = cub_damsm.get_config().unlock()
    config.name = "coco_damsm"
    config.data.max_words = 15
    config.train.epochs = 100
    return sized(config, size)
