"""Makes the watchers of each trainer."""

import dataclasses
from collections.abc import Sequence

from ml_collections import ConfigDict

from data_pipeline.dataset import Split
from t2i_tf.metrics.features import Extractor
from t2i_tf.metrics.real import RealSet
from t2i_tf.metrics.scores import quick_scores
from t2i_tf.models.model_directory import ModelDirectory
from t2i_tf.models.text_to_image import TextToImage
from t2i_tf.training.callbacks.base import Watcher
from t2i_tf.training.callbacks.board import Board
from t2i_tf.training.callbacks.examples import Examples
from t2i_tf.training.callbacks.metrics import ScoreWatcher
from t2i_tf.training.callbacks.pictures import SampleGrid, WordRegions
from t2i_tf.training.callbacks.projector import Projector

CAPTIONS, SEEDS, PROJECTED = 8, 5, 200
DAMSM_EVERY = 3  # intervals between DAMSM's pictures
PROJECTION_EVERY = 3  # A projection takes longer: made every third time that the others are.


@dataclasses.dataclass(frozen=True)
class ScorePlan:
    """The plan of the scores while a GAN trains.

    Attributes:
        extractors: The network of FID and, where it knows classes, of the Inception Score; and that
            of R-precision, see `quick_scores`.
        images: Number of pictures.
        every: Intervals between two scores.
    """

    extractors: Sequence[Extractor]
    images: int
    every: int


def damsm_watchers(board: Board, trained: ModelDirectory, unseen: Split) -> list[Watcher]:
    """DAMSM's word regions and projection, of unseen captions with their pictures.

    Args:
        board: The run's `Board`.
        trained: The encoders.
        unseen: The captions and pictures.
    """
    examples = _examples(unseen, trained.config)
    encoders = trained.text_encoder, trained.image_encoder
    gamma1 = trained.config.damsm.gamma1
    return [
        WordRegions(board, *encoders, examples, gamma1, DAMSM_EVERY),
        Projector(board, *encoders, examples, DAMSM_EVERY),
    ]


def gan_watchers(
    board: Board, trained: ModelDirectory, real: RealSet, scores: ScorePlan | None
) -> list[Watcher]:
    """Samples with attention, their word regions and projection by DAMSM, and scores.

    Args:
        board: The run's `Board`.
        trained: The model as it is exported.
        real: Unseen captions and pictures.
        scores: None for no scores.
    """
    config, model = trained.config, TextToImage(trained)
    every = config.train.checkpoints_per_sample
    examples = _examples(real.split, config)
    encoders = trained.text_encoder, trained.image_encoder
    watchers = [
        SampleGrid(board, model, examples[:CAPTIONS], SEEDS, every),
        WordRegions(board, *encoders, examples, config.damsm.gamma1, every, model),
        Projector(board, *encoders, examples, PROJECTION_EVERY * every, model),
    ]
    if scores:
        watchers.append(ScoreWatcher(_scores(board, trained, real, scores), scores.every))
    return watchers


def _scores(board, trained, real, plan):
    """Measures FID, R-precision and, by a network with classes, the Inception Score."""
    folder = board.workdir / "scores"
    folder.mkdir(exist_ok=True)

    def measure():
        size = trained.config.data.image_size
        features = real.features(plan.extractors[0], size, folder)
        return quick_scores(trained, real.split, plan.images, plan.extractors, features)

    return measure


def _examples(unseen: Split, config: ConfigDict) -> Examples:
    return Examples.first(unseen, PROJECTED, config.data.image_size, config.data.max_words)
