"""Every preset: its twin trains two steps, and its structure is what its name says."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import configs
from t2i_tf.networks import build
from t2i_tf.training.build import build_attngan, build_damsm

PRESETS = sorted(
    path.stem for path in Path(configs.__path__[0]).glob("*_*.py") if not path.stem.startswith("_")
)
DAMSM = [name for name in PRESETS if name.endswith("damsm") and name != "tiny_damsm"]
GANS = [name for name in PRESETS if not name.endswith("damsm")]
VOCABULARY = 30


def twin(name):
    return importlib.import_module(f"configs.{name}").get_config("tiny")


def batch(config, image_sizes, rng):
    rows, words = config.train.batch_size, config.data.max_words
    tokens = rng.integers(1, VOCABULARY, (rows, words)).astype("int32")
    tokens[1, 4:] = 0
    images = tuple(rng.uniform(-1, 1, (rows, s, s, 3)).astype("float32") for s in image_sizes)
    return tf.nest.map_structure(
        tf.constant,
        {
            "images": images,
            "tokens": tokens,
            "class_id": np.arange(rows, dtype="int32"),
            "index": np.arange(rows),
        },
    )


def train(model, batch, networks):
    """Two steps; the largest change of any variable of each network, and the logs."""
    before = [[v.numpy() for v in network.trainable_variables] for network in networks]
    for _ in range(2):
        logs = model.train_step(batch)
    changes = [
        [np.max(np.abs(v.numpy() - b)) for v, b in zip(n.trainable_variables, old, strict=True)]
        for n, old in zip(networks, before, strict=True)
    ]
    return changes, {name: float(value) for name, value in logs.items()}


@pytest.mark.parametrize("name", DAMSM)
def test_a_damsm_twin_trains(name, rng):
    config = twin(name)
    model = build_damsm(config, VOCABULARY)
    networks = [model.text_encoder, model.image_encoder]
    changes, logs = train(model, batch(config, [config.data.image_size], rng), networks)
    assert all(np.isfinite(value) for value in logs.values())
    assert all(change > 0 for network in changes for change in network)


@pytest.mark.parametrize("name", GANS)
def test_a_gan_twin_trains(name, rng):
    config = twin(name)
    encoders = build.text_encoder(config, VOCABULARY), build.image_encoder(config)
    model = build_attngan(config, encoders)
    sizes = model.generator.image_sizes
    assert sizes[-1] == config.data.image_size
    networks = [model.generator, *model.discriminators]
    changes, logs = train(model, batch(config, sizes, rng), networks)
    assert all(np.isfinite(value) for value in logs.values())
    assert all(change > 0 for network in changes for change in network)


@pytest.mark.parametrize("name", DAMSM + GANS)
def test_a_preset_is_named_after_its_file_and_locked(name):
    for size, expected in (("full", name), ("tiny", f"{name}_tiny")):
        config = importlib.import_module(f"configs.{name}").get_config(size)
        assert config.name == expected
        assert config.is_locked
    with pytest.raises(ValueError, match="full or tiny"):
        importlib.import_module(f"configs.{name}").get_config("small")


def test_presets_differ_from_attngan2_as_their_papers_do():
    def differences(name):
        base, other = twin("cub_attngan2"), twin(name)
        return {
            f"{section}.{field}": other[section][field]
            for section in ("data", "generator", "discriminator")
            for field in other[section]
            if other[section][field] != base[section][field]
        }

    assert differences("cub_dcgan") == {
        "generator.image_heads": "last",
        "generator.residual_blocks": 0,
        "discriminator.unconditional": False,
    }
    assert differences("cub_no_attention") == {"generator.attention": "none"}
    assert differences("cub_dualattn") == {
        "generator.attention": "dual",
        "discriminator.norm": "spectral",
    }
    assert differences("cub_dualattn_compressed") == {"generator.attention": "dual_compressed"}
    assert differences("cub_attngan1") == {"data.image_size": 32, "generator.stages": 2}
    assert differences("cub_attngan3_512") == {"data.image_size": 128, "generator.stages": 4}
