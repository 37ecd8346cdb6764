"""AttnGAN of two attention stages for CUB birds at 256 px as published: 600 epochs, batch 20."""

import ml_collections
from ml_collections.config_dict import placeholder

from configs import cub_damsm
from configs.sizes import sized


def get_config(size="full"):
    damsm = cub_damsm.get_config()
    config = ml_collections.ConfigDict()
    config.name = "cub_attngan2"
    config.seed = 100
    config.data = damsm.data.copy_and_resolve_references()
    config.data.image_size = 256
    config.text_encoder = damsm.text_encoder
    config.image_encoder = damsm.image_encoder
    config.damsm = damsm.damsm
    config.generator = dict(
        stages=3,
        filters=32,
        noise_dim=100,
        condition_dim=100,
        residual_blocks=2,
        base_size=64,
        normalize_sentence=False,
        logvar_bias=0.0,
        attention="textual",
        image_heads="all",
    )
    config.discriminator = dict(
        filters=64,
        norm="batch",
        normalize_sentence=False,
        unconditional=True,
    )
    config.loss = dict(
        damsm_weight=5.0,
        damsm_warmup_steps=0,
        kl_weight=1.0,
        adversarial_loss="cross_entropy",
        gradient_penalty=0.0,
        r1_penalty=0.0,
        diffaugment=(),
        generator_steps=1,
        diversity_weight=0.0,
        diversity_limit=0.15,
        ema_decay=0.999,
    )
    config.train = dict(
        batch_size=20,
        epochs=600,  # What is None is counted in steps by t2i_tf.training.options.in_steps.
        steps=placeholder(int),
        steps_per_checkpoint=placeholder(int),
        checkpoints_per_sample=5,
        generator_learning_rate=2e-4,
        discriminator_learning_rate=2e-4,
        decay_start=placeholder(int),
        beta_1=0.5,
        precision="float32",
        jit_compile=False,
        steps_per_execution=1,
        synchronize_batch_norm=True,
    )
    return sized(config, size)
