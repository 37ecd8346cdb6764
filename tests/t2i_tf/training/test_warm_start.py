"""A new run starts from a model directory, an old one from its own checkpoint."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from configs import tiny
from data_pipeline.dataset import Split
from data_pipeline.support.errors import UserError
from data_pipeline.text.vocabulary import Vocabulary
from t2i_tf.models import model_directory
from t2i_tf.networks import build
from t2i_tf.training import warm_start
from t2i_tf.training.build import build_attngan
from t2i_tf.training.machinery import checkpoints
from tests.commands import run

WORDS = ["<end>", "red", "bird"]


def small(**generator):
    config = tiny.get_config().copy_and_resolve_references().unlock()
    config.generator.update(filters=4, **generator)
    config.discriminator.filters = 4
    return config


def attngan(config, words):
    encoders = build.text_encoder(config, len(words)), build.image_encoder(config)
    return build_attngan(config, encoders)


def save(directory, config, words, discriminators=True):
    """Saves a model of its own random weights and returns it."""
    keras.utils.set_random_seed(7)
    model = attngan(config, words)
    parts = [config, Vocabulary(words), model.text_encoder, None, model.generator]
    parts.append(model.discriminators if discriminators else [])
    model_directory.save(directory, model_directory.ModelDirectory(*parts), "# Saved\n")
    return model


def starting_point(directory, config, words=WORDS):
    workdir = directory.parent / "run"
    return warm_start.starting_point(directory, config, Vocabulary(words), workdir)


def equal(one, other):
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("discriminators", [True, False])
def test_a_new_run_starts_from_what_is_there(discriminators, tmp_path):
    saved = save(tmp_path / "model", small(), WORDS, discriminators)
    model = attngan(small(), WORDS)
    own = [network.get_weights() for network in model.discriminators]
    start = starting_point(tmp_path / "model", small())
    warm_start.start_from(start, model)
    assert equal(model.generator, saved.generator)
    assert equal(model.ema_generator, saved.generator)
    for judge, theirs, before in zip(model.discriminators, saved.discriminators, own, strict=True):
        assert equal(judge, theirs) == discriminators
        unchanged = all(map(np.array_equal, judge.get_weights(), before))
        assert unchanged != discriminators


def test_a_run_of_more_stages_starts_from_one_of_fewer(tmp_path):
    config = small(stages=1)
    config.data.image_size = 32
    saved = save(tmp_path / "run" / "model", config, WORDS, discriminators=False)
    checkpoints.Checkpointer(tmp_path / "run" / "checkpoints", saved.parts).save(5)
    model = attngan(small(stages=2), WORDS)
    untouched = model.discriminators[1].get_weights(), model.generator.refine[0].get_weights()
    start = warm_start.starting_point(
        tmp_path / "run", small(stages=2), Vocabulary(WORDS), tmp_path / "other"
    )
    warm_start.start_from(start, model)
    ours, theirs = model.generator, saved.generator
    for name in ("condition", "initial"):
        assert equal(getattr(ours, name), getattr(theirs, name))
    assert equal(ours.heads[0], theirs.heads[0])
    assert equal(model.ema_generator, ours)
    assert equal(model.discriminators[0], saved.discriminators[0])
    now = model.discriminators[1].get_weights(), ours.refine[0].get_weights()
    assert all(
        np.array_equal(a, b) for a, b in zip(now[0] + now[1], sum(untouched, []), strict=True)
    )


def test_stages_are_never_left_out(tmp_path):
    save(tmp_path / "model", small(stages=2), WORDS)
    fewer = small(stages=1)
    fewer.data.image_size = 32
    with pytest.raises(UserError, match=r"generator.stages \(2, here 1\)"):
        starting_point(tmp_path / "model", fewer)


def test_everything_that_differs_is_named(tmp_path):
    config = small(noise_dim=8)
    config.discriminator.norm = "batch"
    del config.generator["image_heads"]  # as configs were before that option
    save(tmp_path / "model", config, WORDS)
    other = small()
    other.text_encoder.units = 64
    with pytest.raises(UserError) as error:
        starting_point(tmp_path / "model", other, ["<end>", "x"])
    assert str(error.value) == (
        f"{tmp_path / 'model'} cannot start this run: it differs in "
        "generator.noise_dim (8, here 32), "
        "discriminator.norm (batch, here spectral), text_encoder.units (128, here 64), "
        "the vocabulary (3 words, here 2)"
    )


def test_a_directory_without_generator_is_named(tmp_path):
    with pytest.raises(UserError, match="is no model directory: it lacks .*generator.weights.h5"):
        starting_point(tmp_path, small())


def test_a_checkpoint_goes_before(tmp_path, capsys):
    workdir = tmp_path / "run"
    tf.train.CheckpointManager(tf.train.Checkpoint(), str(workdir / "checkpoints"), 1).save()
    assert starting_point(tmp_path / "none", small()) is None
    assert f"{workdir} has a checkpoint, which goes before" in capsys.readouterr().out


def test_the_command_starts_from_a_model_directory(tiny_data, tiny_damsm, tmp_path):
    """Without any learning the first step leaves the generator as it was given."""
    saved = save(tmp_path / "model", small(), Split(tiny_data, "train").vocabulary.words)
    run(
        "t2i_tf.train",
        "--config=configs/tiny.py",
        "--config.generator.filters=4",
        "--config.discriminator.filters=4",
        "--config.train.batch_size=4",
        "--config.train.steps=1",
        "--config.train.steps_per_checkpoint=1",
        "--config.train.checkpoints_per_sample=2",
        "--config.train.generator_learning_rate=0.0",
        f"--data_dir={tiny_data}",
        f"--damsm={tiny_damsm}",
        f"--init_from={tmp_path / 'model'}",
        f"--workdir={tmp_path / 'run'}",
    )
    trained = model_directory.load(tmp_path / "run").generator
    for one, other in zip(
        trained.trainable_variables, saved.generator.trainable_variables, strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-6)
