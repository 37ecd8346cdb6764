"""DAMSM for CUB birds as published (AttnGAN, arXiv:1711.10485): 200 epochs of 184 steps."""

import ml_collections

from configs.sizes import sized


def get_config(size="full"):
    config = ml_collections.ConfigDict()
    config.name = "cub_damsm"
    config.seed = 100
    config.data = dict(
        image_size=256,
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
        steps=36800,
        steps_per_checkpoint=184,
        learning_rate=0.002,
        decay_steps=184,
        decay_rate=0.98,
        beta_1=0.5,
        clip_norm=0.25,
        precision="float32",
        jit_compile=False,
        steps_per_execution=1,
        synchronize_batch_norm=True,
    )
    return sized(config, size)
