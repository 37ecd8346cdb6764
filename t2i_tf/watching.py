"""What there is to see while a model trains: the callbacks that each trainer adds to `fit`."""

from absl import flags

from data_pipeline.dataset import Split
from t2i_tf.callbacks import (
    Board,
    DiscriminatorWatch,
    Examples,
    Projector,
    SampleGrid,
    WithScores,
    WordRegions,
)
from t2i_tf.metrics import inception
from t2i_tf.metrics.features import Extractor
from t2i_tf.metrics.protocol import RealSet
from t2i_tf.metrics.scores import quick_scores
from t2i_tf.model_directory import ModelDirectory

CAPTIONS, SEEDS, PROJECTED = 8, 5, 200
DAMSM_EVERY = 3  # intervals between DAMSM's pictures
PROJECTION_EVERY = 3  # A projection takes longer: one for every third time of the other pictures.
BATCH_SIZE = 32


def damsm(board: Board, config, unseen: Split) -> list:
    """DAMSM's word regions and projection, of unseen captions with their pictures."""
    interval = config.train.steps_per_checkpoint
    examples = _examples(unseen, config)
    return [
        WordRegions(board, examples, config.damsm.gamma1, interval, DAMSM_EVERY),
        Projector(board, examples, interval, DAMSM_EVERY),
    ]


def gan(board: Board, trained: ModelDirectory, real: RealSet, scorer: Extractor | None) -> list:
    """Whether a discriminator wins, samples with attention, what DAMSM makes of them, and scores.

    Args:
        board: The run's `Board`.
        trained: The model as it is exported.
        real: Unseen captions and pictures.
        scorer: See `choose_scorer`.
    """
    config = trained.config
    interval, every = config.train.steps_per_checkpoint, config.train.checkpoints_per_sample
    examples = _examples(real.split, config)
    gamma1 = config.damsm.gamma1
    watchers = [
        DiscriminatorWatch(board, interval),
        SampleGrid(board, examples[:CAPTIONS], SEEDS, interval, every),
        WordRegions(board, examples, gamma1, interval, every, drawn=True),
        Projector(board, examples, interval, PROJECTION_EVERY * every, drawn=True),
    ]
    if scorer:
        scores = _scores(board, trained, real, scorer)
        watchers.append(WithScores(scores, interval, flags.FLAGS.score_every))
    return watchers


def define_score_flags():
    """Defines the flags of what `gan` scores."""
    flags.DEFINE_integer(
        "score_every", 10, "Checkpoints between two scores; 0 for none.", lower_bound=0
    )
    flags.DEFINE_integer("score_images", 500, "How many pictures are scored.", lower_bound=10)
    flags.DEFINE_string(
        "inception", inception.DAMSM, "Network that scores: damsm, imagenet or a file."
    )


def choose_scorer(image_encoder, damsm_dir) -> Extractor | None:
    """The network that the flags ask for, None where there are to be no scores.

    Args:
        image_encoder: DAMSM's.
        damsm_dir: The directory that it was loaded from.

    Raises:
        UserError: The network cannot be read.
    """
    if not flags.FLAGS.score_every:
        return None
    own = inception.damsm(image_encoder, damsm_dir)
    return inception.load_all([flags.FLAGS.inception], own)[0]


def _scores(board, trained, real, scorer):
    """Measures FID, R-precision and, by a network with classes, the Inception Score."""
    folder = board.workdir / "scores"
    folder.mkdir(exist_ok=True)

    def measure():
        statistics = real.statistics(scorer, trained.config.data.image_size, BATCH_SIZE, folder)
        return quick_scores(trained, real.split, flags.FLAGS.score_images, scorer, statistics)

    return measure


def _examples(unseen, config):
    return Examples.first(unseen, PROJECTED, config.data.image_size, config.data.max_words)
