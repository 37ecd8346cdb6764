"""Every training number of every preset, beside the source that it was taken from.

Of the published code (github.com/taoxugit/AttnGAN, folder code) only the numbers are here.
"""

import importlib
from pathlib import Path

import pytest

import configs
from t2i_tf.training.options import check, in_steps

BIRDS, COCO = 8855, 82783  # Training images of CUB-200-2011's split and of COCO 2014.

TEXT = {  # cfg/*.yml: TEXT; model.py: RNN_ENCODER
    "text_encoder.cell": "lstm",
    "text_encoder.embedding_dim": 300,
    "text_encoder.units": 256,
    "text_encoder.dropout": 0.5,
}
GAMMAS = {"damsm.gamma1": 4.0, "damsm.gamma2": 5.0, "damsm.gamma3": 10.0}  # cfg/*.yml: SMOOTH
CROPS = {  # main.py, pretrain_DAMSM.py: random crops of 64 / 76 of the side, mirrored at random
    "data.flip": True,
    "data.crop_jitter": 1.0,
    "data.exchange_words": (),
}
DAMSM = {
    **TEXT,
    **GAMMAS,
    **CROPS,
    "data.image_size": 299,  # TREE.BASE_SIZE, with one branch
    "data.max_words": 18,  # miscc/config.py
    "train.batch_size": 48,
    "train.epochs": 200,  # of the published text_encoder200.pth; the yml's 600 are an upper bound
    "train.learning_rate": 0.002,  # ENCODER_LR
    "train.decay_rate": 0.98,  # pretrain_DAMSM.py, once an epoch
    "train.decay_steps": None,
    "train.beta_1": 0.5,
    "train.adam_restart_steps": None,  # pretrain_DAMSM.py makes a new Adam each epoch
    "train.clip_norm": 0.25,  # RNN_GRAD_CLIP
    "train.trunk_statistics": "batch",  # pretrain_DAMSM.py: cnn_model.train()
}
ATTNGAN = {
    **TEXT,
    **GAMMAS,
    **CROPS,
    "data.image_size": 256,  # TREE.BASE_SIZE 64 (miscc/config.py), BRANCH_NUM 3
    "data.max_words": 18,  # miscc/config.py
    "generator.stages": 3,
    "generator.base_size": 64,
    "generator.filters": 32,  # GF_DIM
    "generator.noise_dim": 100,  # Z_DIM
    "generator.condition_dim": 100,  # miscc/config.py: CONDITION_DIM
    "generator.residual_blocks": 2,  # R_NUM
    "generator.normalize_sentence": False,
    "generator.logvar_bias": 0.0,
    "generator.attention": "textual",
    "generator.image_heads": "all",
    "discriminator.filters": 64,  # DF_DIM
    "discriminator.norm": "batch",
    "discriminator.normalize_sentence": False,
    "discriminator.unconditional": True,
    "loss.damsm_weight": 5.0,  # LAMBDA
    "loss.damsm_warmup_steps": 0,
    "loss.kl_weight": 1.0,  # trainer.py adds it as it is
    "loss.adversarial_loss": "cross_entropy",
    "loss.gradient_penalty": 0.0,
    "loss.r1_penalty": 0.0,
    "loss.diffaugment": (),
    "loss.generator_steps": 1,
    "loss.diversity_weight": 0.0,
    "loss.ema_decay": 0.999,  # trainer.py
    "train.batch_size": 20,
    "train.epochs": 600,
    "train.generator_learning_rate": 2e-4,
    "train.discriminator_learning_rate": 2e-4,
    "train.decay_start": None,  # trainer.py: the rates stay
    "train.beta_1": 0.5,  # trainer.py
}

# What a preset has of its own, with the source of that; the rest is the base's.
TABLE = {
    "cub_damsm": ("cfg/DAMSM/bird.yml", DAMSM, {}),
    "coco_damsm": (
        "cfg/DAMSM/coco.yml; 100 epochs: text_encoder100.pth",
        DAMSM,
        {"data.max_words": 15, "train.epochs": 100},
    ),
    "cub_attngan2": ("cfg/bird_attn2.yml", ATTNGAN, {}),
    "cub_attngan1": (
        "AttnGAN1 of arXiv:1711.10485, section 4.1; cfg/bird_attn2.yml with BRANCH_NUM 2",
        ATTNGAN,
        {"data.image_size": 128, "generator.stages": 2},
    ),
    "cub_attngan3_512": (
        "the 512 px variant csyan5/AttnGAN: 200 epochs, batch 7, a generator's rate of 1.5e-4",
        ATTNGAN,
        {
            "data.image_size": 512,
            "generator.stages": 4,
            "train.batch_size": 7,
            "train.epochs": 200,
            "train.generator_learning_rate": 1.5e-4,
        },
    ),
    "coco_attngan2": (
        "cfg/coco_attn2.yml",
        ATTNGAN,
        {
            "data.max_words": 12,
            "generator.filters": 48,
            "generator.residual_blocks": 3,
            "discriminator.filters": 96,
            "loss.damsm_weight": 50.0,
            "train.batch_size": 14,
            "train.epochs": 120,
        },
    ),
    "cub_dcgan": (
        "cfg/bird_attnDCGAN2.yml",
        ATTNGAN,
        {
            "generator.residual_blocks": 0,
            "generator.image_heads": "last",
            "discriminator.unconditional": False,
            "loss.damsm_weight": 1.0,
            "train.batch_size": 30,
            "train.epochs": 400,
        },
    ),
    "cub_attngan2_plus": (
        "AttnGAN++/cfg/eval_bird.yml of VinAIResearch/tise-toolbox; none to train by is published",
        ATTNGAN,
        {"generator.filters": 64, "discriminator.filters": 32, "discriminator.norm": "spectral"},
    ),
    "cub_dualattn": (
        "Cai et al., 2019, for the structure; trained as cub_attngan2",
        ATTNGAN,
        {"generator.attention": "dual", "discriminator.norm": "spectral"},
    ),
    "cub_dualattn_compressed": (
        "dualAttnModel.py of a student project, for the structure; trained as cub_attngan2",
        ATTNGAN,
        {"generator.attention": "dual_compressed"},
    ),
    "cub_no_attention": (
        "trained as cub_attngan2, to be compared with it",
        ATTNGAN,
        {"generator.attention": "none", "loss.damsm_weight": 0.0},
    ),
}

# Numbers that change nothing of what is learnt, or without effect while their weight is 0.
OURS = {
    "loss.diversity_limit",
    "train.steps",
    "train.steps_per_checkpoint",
    "train.checkpoints_per_sample",
    "train.precision",
    "train.jit_compile",
    "train.steps_per_execution",
    "train.synchronize_batch_norm",
}
SECTIONS = ("data", "text_encoder", "damsm", "generator", "discriminator", "loss", "train")


def preset(name):
    return importlib.import_module(f"configs.{name}").get_config()


@pytest.mark.parametrize("name", TABLE)
def test_a_preset_has_its_source_s_numbers(name):
    source, base, own = TABLE[name]
    config = preset(name).to_dict()
    values = {f"{s}.{k}": v for s in SECTIONS if s in config for k, v in config[s].items()}
    here = {key: value for key, value in values.items() if key not in OURS}
    assert here == base | own, source


@pytest.mark.parametrize(
    ("name", "images", "epoch", "epochs"),
    [
        ("cub_damsm", BIRDS, 184, 200),
        ("coco_damsm", COCO, 1724, 100),
        ("cub_attngan1", BIRDS, 442, 600),
        ("cub_attngan2", BIRDS, 442, 600),
        ("cub_attngan3_512", BIRDS, 1265, 200),
        ("coco_attngan2", COCO, 5913, 120),
        ("cub_dcgan", BIRDS, 295, 400),
        ("cub_attngan2_plus", BIRDS, 442, 600),
        ("cub_dualattn", BIRDS, 442, 600),
        ("cub_dualattn_compressed", BIRDS, 442, 600),
        ("cub_no_attention", BIRDS, 442, 600),
    ],
)
def test_a_preset_s_epochs_in_steps(name, images, epoch, epochs):
    config = preset(name)
    check(config)
    train = in_steps(config, images).train
    assert (train.steps, train.steps_per_checkpoint) == (epochs * epoch, epoch)
    if name.endswith("damsm"):
        assert (train.decay_steps, train.adam_restart_steps) == (epoch, epoch)
    else:
        assert train.decay_start == train.steps
    assert None not in train.values()


def test_every_preset_but_the_tiny_ones_is_in_the_table():
    files = {path.stem for path in Path(configs.__path__[0]).glob("c*_*.py")}
    assert files == set(TABLE)
