"""DAMSM for the drawn birds at 64 px, trained on two CPU cores in two minutes."""

import ml_collections

COLOURS = ("red", "orange", "yellow", "green", "blue", "brown", "black", "white", "grey")


def get_config():
    config = ml_collections.ConfigDict()
    config.name = "tiny_damsm"
    config.seed = 100
    config.data = dict(
        image_size=64,
        max_words=18,
        flip=False,
        crop_jitter=0.3,
        exchange_words=(COLOURS,),
    )
    config.text_encoder = dict(cell="lstm", embedding_dim=64, units=128, dropout=0.1)
    config.image_encoder = dict(kind="small", input_size=64, filters=24)
    config.damsm = dict(gamma1=4.0, gamma2=5.0, gamma3=10.0)
    config.train = dict(
        batch_size=48,
        steps=900,
        steps_per_checkpoint=100,
        learning_rate=0.002,
        decay_steps=100,
        decay_rate=0.9,
        beta_1=0.5,
        adam_restart_steps=0,
        clip_norm=0.25,
        trunk_statistics="batch",
        precision="float32",
        jit_compile=False,
        steps_per_execution=1,
        synchronize_batch_norm=True,
    )
    return config.lock()
