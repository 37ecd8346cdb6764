"""DAMSM for COCO as published: 100 epochs of 1,724 steps."""

from configs import cub_damsm
from configs.sizes import sized


def get_config(size="full"):
    config = cub_damsm.get_config().unlock()
    config.name = "coco_damsm"
    config.data.max_words = 12
    config.train.update(steps=172400, steps_per_checkpoint=1724, decay_steps=1724)
    return sized(config, size)
