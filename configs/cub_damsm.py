"""DAMSM for CUB birds as published (AttnGAN, arXiv:1711.10485): 200 epochs, batch 48."""

import ml_collections
from ml_collections.config_dict import placeholder

from configs.sizes import sized


def get_config(size="full"):
    config = ml_collections.ConfigDict()
    config.name = "cub_damsm"
    config.seed = 100
    config.data = dict(
        image_size=299,
        max_words=18,
        flip=True,
        crop_jitter=1.0,
        exchange_words=(),
    )
    config.text_encoder = dict(cell="lstm", embedding_dim=300, units=256, dropout=0.5)
    config.image_encoder = dict(kind="inception_v3", weights="imagenet", align_corners=False)
    config.damsm = dict(gamma1=4.0, gamma2=5.0, gamma3=10.0)
    config.train = dict(
        batch_size=48,
        epochs=200,  # What is None is counted in steps by t2i_tf.training.options.in_steps.
        steps=placeholder(int),
        steps_per_checkpoint=placeholder(int),
        learning_rate=0.002,
        decay_steps=placeholder(int),
        decay_rate=0.98,
        beta_1=0.5,
        adam_restart_steps=placeholder(int),
        clip_norm=0.25,
        trunk_statistics="batch",
        precision="float32",
        jit_compile=False,
        steps_per_execution=1,
        synchronize_batch_norm=True,
    )
    return sized(config, size)
