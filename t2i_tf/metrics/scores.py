"""What networks read from a stream of pictures: features, and the Inception Score's sums."""

from collections.abc import Iterable, Sequence

import numpy as np

from data_pipeline.dataset import Split
from data_pipeline.support.errors import UserError
from data_pipeline.support.progress import Progress
from t2i_tf.metrics.features import Extractor
from t2i_tf.metrics.figures.fid import FeatureStatistics, fid
from t2i_tf.metrics.figures.inception_score import SPLITS, InceptionScore
from t2i_tf.metrics.r_precision import r_precision, sentence_codes
from t2i_tf.metrics.streams import BLOCK, drawn_pictures
from t2i_tf.models.model_directory import ModelDirectory


class Recording:
    """What one network reads from a stream of pictures.

    The network always sees `BLOCK` pictures at once, the last block filled up: float32 sums depend
    on the shape of a batch in their last digit, and figures should not.

    Args:
        extractor: The network.
        count: N, the number of pictures that there will be.
        inception_score: Whether to keep what the Inception Score needs.

    Attributes:
        extractor: The network.
        scored: Pictures that the Inception Score counts, a multiple of
            `extractor.batch_multiple`.
        inception_score: The `InceptionScore`, or None.

    Raises:
        UserError: There are too few pictures.
    """

    def __init__(self, extractor: Extractor, count: int, inception_score: bool = False):
        self.extractor = extractor
        self.scored = count - count % extractor.batch_multiple
        if inception_score and self.scored < SPLITS:
            least = max(SPLITS, extractor.batch_multiple)
            raise UserError(f"the Inception Score needs at least {least} pictures, not {count}")
        self.inception_score = (
            InceptionScore(self.scored, extractor.classes) if inception_score else None
        )
        self._features = np.empty((count, extractor.dim), np.float32)
        self._seen = 0

    @property
    def features(self) -> np.ndarray:
        """The features of all pictures, float32 `[N, D]`.

        Raises:
            UserError: Some are not finite, or fewer pictures have come than were announced.
        """
        if self._seen < len(self._features):
            raise UserError(f"only {self._seen} of {len(self._features)} pictures have come")
        bad = np.flatnonzero(~np.isfinite(self._features).all(axis=1))
        if len(bad):
            raise UserError(
                f"{self.extractor.name} gives features that are no numbers (NaN or infinite) for "
                f"{len(bad)} of {self._seen} pictures, the first is number {bad[0]}: look at its "
                f"weights, {self.extractor.weights}"
            )
        return self._features

    def update(self, images: np.ndarray) -> None:
        """Adds the next pictures, uint8 `[B, H, W, 3]`, a block or the rest."""
        count = len(images)
        features, probabilities = self.extractor(filled(images))
        if self.inception_score is not None:
            self.inception_score.update(probabilities[:count])
        self._features[self._seen : self._seen + count] = features[:count]
        self._seen += count


def filled(rows: np.ndarray) -> np.ndarray:
    """At most `BLOCK` rows, the last one repeated up to `BLOCK`."""
    return np.concatenate([rows, np.repeat(rows[-1:], BLOCK - len(rows), axis=0)])


def measure(
    batches: Iterable[np.ndarray], count: int, recordings: Iterable[Recording], unit: str
) -> None:
    """Shows all pictures to all networks, with a progress bar.

    Args:
        batches: uint8 pictures, `[B, H, W, 3]` each, see `streams.Pictures`.
        count: How many pictures there are.
        recordings: The recordings to update.
        unit: Name of the pictures on the progress bar.
    """
    recordings = list(recordings)
    with Progress(count, unit) as progress:
        for images in batches:
            for recording in recordings:
                recording.update(images)
            progress.update(len(images))


def features_of(pictures: np.ndarray, extractor: Extractor, unit: str) -> np.ndarray:
    """A network's features `[N, D]` of uint8 pictures `[N, H, W, 3]`."""
    recording = Recording(extractor, len(pictures))
    blocks = (pictures[start : start + BLOCK] for start in range(0, len(pictures), BLOCK))
    measure(blocks, len(pictures), [recording], f"{unit} ({extractor.scale})")
    return recording.features


def quick_scores(
    model: ModelDirectory,
    split: Split,
    count: int,
    extractors: Sequence[Extractor],
    real: np.ndarray,
    seed: int = 0,
) -> dict[str, float]:
    """The figures of a few pictures, to follow a training; always of the same captions and seeds.

    Args:
        model: A model with a generator.
        split: The split whose captions are drawn.
        count: How many pictures. FID falls with their number: compare equal numbers only.
        extractors: The network of FID and, if it knows classes, of the Inception Score; then that
            of R-precision, the model's own image encoder, if it has one. They may be the same.
        real: The real pictures' features by the first network, `[M, D]`.
        seed: See `streams.plan_captions`.

    Returns:
        `fid_<scale>` and, if possible, `inception_score_<scale>` and `r_precision`.

    Raises:
        UserError: There are too few pictures, or the model knows no word of a caption.
    """
    pictures = drawn_pictures(model, split, count, seed)
    network, judge = extractors[0], extractors[-1]
    recordings = {
        own: Recording(own, count, inception_score=own is network and own.classes > 0)
        for own in extractors
    }
    for images in pictures.batches:
        for recording in recordings.values():
            recording.update(images)
    recording = recordings[network]
    statistics = FeatureStatistics.of(recording.features), FeatureStatistics.of(real)
    figures = {f"fid_{network.scale}": fid(*statistics)}
    if recording.inception_score is not None:
        figures[f"inception_score_{network.scale}"], _ = recording.inception_score.result()
    if len(extractors) > 1 and len(np.unique(pictures.plan.class_ids)) > 1:
        sentences = sentence_codes(model, pictures.plan.texts)
        codes = recordings[judge].features
        figures["r_precision"] = r_precision(codes, sentences, pictures.plan.class_ids)
    return figures
