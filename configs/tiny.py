"""AttnGAN for the drawn birds: 32 and 64 px, trained on two CPU cores in minutes."""

import ml_collections

from configs import tiny_damsm


def get_config():
    damsm = tiny_damsm.get_config()
    config = ml_collections.ConfigDict()
    config.name = "tiny"
    config.seed = 100
    config.data = damsm.data.copy_and_resolve_references()
    config.text_encoder = damsm.text_encoder
    config.image_encoder = damsm.image_encoder
    config.damsm = damsm.damsm
    config.generator = dict(
        stages=2,
        filters=16,
        noise_dim=32,
        condition_dim=32,
        residual_blocks=1,
        base_size=32,
        normalize_sentence=True,
        logvar_bias=-2.0,
        attention="textual",
        image_heads="all",
    )
    config.discriminator = dict(
        filters=24,
        norm="spectral",
        normalize_sentence=True,
        unconditional=True,
    )
    config.loss = dict(
        damsm_weight=0.15,
        damsm_warmup_steps=600,
        kl_weight=0.05,
        adversarial_loss="cross_entropy",
        gradient_penalty=0.0,
        r1_penalty=0.0,
        diffaugment=(),
        generator_steps=1,
        diversity_weight=5.0,
        diversity_limit=0.15,
        ema_decay=0.999,
    )
    config.train = dict(
        batch_size=16,
        steps=2250,
        steps_per_checkpoint=250,
        checkpoints_per_sample=1,
        generator_learning_rate=6e-4,
        discriminator_learning_rate=1e-3,
        decay_start=1500,
        beta_1=0.5,
        precision="float32",
        jit_compile=False,
        steps_per_execution=1,
        synchronize_batch_norm=True,
    )
    return config.lock()
