"""What watches each trainer, how often, and that it looks without a fault."""

import numpy as np
import pytest

from configs import tiny
from data_pipeline.dataset import Split
from t2i_tf.metrics import inception
from t2i_tf.metrics.real import RealSet
from t2i_tf.models.model_directory import ModelDirectory
from t2i_tf.networks import build
from t2i_tf.training.callbacks import Board, Projector, SampleGrid, ScoreWatcher, WordRegions
from t2i_tf.training.callbacks.watching import ScorePlan, damsm_watchers, gan_watchers
from t2i_tf.training.damsm import DAMSM, encode_captions, matching_losses
from t2i_tf.training.validation import Validation


@pytest.fixture(scope="module")
def trained(tiny_data):
    config = tiny.get_config()
    config.generator.filters = 4
    config.train.checkpoints_per_sample = 2
    vocabulary = Split(tiny_data, "test").vocabulary
    text_encoder = build.text_encoder(config, len(vocabulary))
    parts = text_encoder, build.image_encoder(config), build.generator(config)
    return ModelDirectory(config, vocabulary, *parts)


def test_a_gan_is_watched_by_pictures_and_scores(trained, tiny_data, tiny_damsm, tmp_path):
    real = RealSet(tiny_data)
    extractor = inception.damsm_extractor(trained.image_encoder, tiny_damsm)
    plan = ScorePlan([extractor, extractor], images=5, every=3)
    watchers = gan_watchers(Board(tmp_path), trained, real, plan)
    kinds = [SampleGrid, WordRegions, Projector, ScoreWatcher]
    assert [type(watcher) for watcher in watchers] == kinds
    assert [watcher.every for watcher in watchers] == [2, 2, 6, 3]
    assert len(gan_watchers(Board(tmp_path), trained, real, None)) == 3
    assert watchers[0].model.network.generator is trained.generator
    figures = [watcher.look(6) for watcher in watchers]
    assert figures[:3] == [{}] * 3
    # These captions are all of one class, for which there is no R-precision.
    assert set(figures[3]) == {"score_fid_damsm"}
    assert np.isfinite(figures[3]["score_fid_damsm"])
    assert (tmp_path / "samples" / "step_0000006.png").is_file()
    assert len(list((tmp_path / "scores").glob("real_damsm_*.npy"))) == 1


def test_damsm_is_watched_on_unseen_pictures(trained, tiny_data, tmp_path):
    watchers = damsm_watchers(Board(tmp_path), trained, Split(tiny_data, "test"))
    assert [type(watcher) for watcher in watchers] == [WordRegions, Projector]
    assert [watcher.every for watcher in watchers] == [3, 3]
    for watcher in watchers:
        assert watcher.model is None and watcher.look(5) == {}
    assert (tmp_path / "projector" / "sprite.png").is_file()


def test_the_validation_loss_is_that_of_unseen_pictures(trained, tiny_data):
    encoders = trained.text_encoder, trained.image_encoder
    trainer = DAMSM(*encoders, image_size=64)
    split = Split(tiny_data, "test")
    losses = Validation(trainer, split, 48, 18).look(5)
    batch = next(iter(split.eval_batches(batch_size=6, image_sizes=[64], max_words=18)))
    captions = encode_captions(encoders[0], batch)
    regions, codes = encoders[1](batch["images"][0])
    expected = matching_losses(captions, regions, codes, batch["class_id"], trainer.gammas)
    assert losses["val_loss"] == pytest.approx(float(sum(expected.values())), rel=1e-4)
    assert set(losses) == {"val_loss", *(f"val_{name}" for name in expected)}
