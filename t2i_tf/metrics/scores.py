"""Inception Score, FID and codes of a stream of pictures, in constant memory."""

from collections.abc import Iterable

import numpy as np

from data_pipeline.dataset import Split
from data_pipeline.support.errors import UserError
from data_pipeline.support.progress import Progress
from t2i_tf.metrics.features import Extractor
from t2i_tf.metrics.fid import FeatureStatistics, fid
from t2i_tf.metrics.inception_score import SPLITS, InceptionScore
from t2i_tf.metrics.r_precision import picture_codes, r_precision, sentence_codes
from t2i_tf.metrics.streams import drawn_pictures
from t2i_tf.models.model_directory import ModelDirectory


class Scores:
    """The scores of a stream of pictures by one network.

    Args:
        extractor: The network.
        count: N, the number of pictures that there will be.
        inception_score: Whether to keep what the Inception Score needs.
        statistics: Whether to keep what FID needs.
        codes: Whether to keep the features themselves, `[N, D]`, as R-precision needs.

    Attributes:
        extractor: The network.
        scored: Pictures that the Inception Score counts, a multiple of
            `extractor.batch_multiple`.
        inception_score: The `InceptionScore`, or None.
        statistics: The `FeatureStatistics`, or None.

    Raises:
        UserError: There are too few pictures.
    """

    def __init__(
        self,
        extractor: Extractor,
        count: int,
        inception_score: bool = False,
        statistics: bool = False,
        codes: bool = False,
    ):
        self.extractor = extractor
        self.scored = count - count % extractor.batch_multiple
        if inception_score and self.scored < SPLITS:
            least = max(SPLITS, extractor.batch_multiple)
            raise UserError(f"the Inception Score needs at least {least} pictures, not {count}")
        if statistics and count < 2:
            raise UserError(f"FID needs at least two pictures, not {count}")
        self.inception_score = (
            InceptionScore(self.scored, extractor.classes) if inception_score else None
        )
        self.statistics = FeatureStatistics(extractor.dim) if statistics else None
        self._codes = [] if codes else None

    @property
    def codes(self) -> np.ndarray:
        """The features of all pictures so far, `[N, D]`."""
        return np.concatenate(self._codes)

    def update(self, images: np.ndarray) -> None:
        """Adds the next pictures, uint8 `[B, H, W, 3]`."""
        features, probabilities = self.extractor(images)
        if self.inception_score is not None:
            self.inception_score.update(probabilities)
        if self.statistics is not None:
            self.statistics.update(features)
        if self._codes is not None:
            self._codes.append(features)


def measure(batches: Iterable[np.ndarray], count: int, scores: Iterable[Scores], unit: str) -> None:
    """Shows all pictures to all networks, with a progress bar.

    Args:
        batches: uint8 pictures, `[B, H, W, 3]` each.
        count: How many pictures there are.
        scores: The scores to update.
        unit: Name of the pictures on the progress bar.
    """
    scores = list(scores)
    with Progress(count, unit) as progress:
        for images in batches:
            for score in scores:
                score.update(images)
            progress.update(len(images))


def quick_scores(
    model: ModelDirectory,
    split: Split,
    count: int,
    extractor: Extractor,
    real: FeatureStatistics,
    seed: int = 0,
    batch_size: int = 32,
) -> dict[str, float]:
    """The figures of a few pictures, to follow a training; always of the same captions and seeds.

    Args:
        model: A model with a generator; its image encoder, if there is one, judges R-precision.
        split: The split whose captions are drawn.
        count: How many pictures. FID falls with their number: compare equal numbers only.
        extractor: The network of FID and, if it knows classes, of the Inception Score.
        real: The real pictures' statistics by the same network.
        seed: See `streams.plan_captions`.
        batch_size: Pictures per batch.

    Returns:
        `fid_<scale>` and, if possible, `inception_score_<scale>` and `r_precision`.

    Raises:
        UserError: There are too few pictures, or the model knows no word of a caption.
    """
    pictures = drawn_pictures(model, split, count, seed, batch_size)
    scores = Scores(extractor, count, inception_score=extractor.classes > 0, statistics=True)
    codes = []
    for images in pictures.batches:
        scores.update(images)
        if model.image_encoder is not None:
            codes.append(picture_codes(model.image_encoder, images))
    figures = {f"fid_{extractor.scale}": fid(scores.statistics, real)}
    if scores.inception_score is not None:
        figures[f"inception_score_{extractor.scale}"], _ = scores.inception_score.result()
    if codes and len(np.unique(pictures.plan.class_ids)) > 1:
        sentences = sentence_codes(model, pictures.plan.texts)
        figures["r_precision"] = r_precision(
            np.concatenate(codes), sentences, pictures.plan.class_ids
        )
    return figures
