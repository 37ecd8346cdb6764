"""Measures Inception Score, FID, R-precision and faithfulness of pictures in one pass."""

import dataclasses
import hashlib
import json
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from data_pipeline.dataset import Split
from data_pipeline.drawn.birds import PARTS
from data_pipeline.drawn.captions import told
from data_pipeline.pixels import size_to_crop
from data_pipeline.support.errors import UserError
from data_pipeline.support.hashing import file_sha256
from data_pipeline.support.version import VERSION
from data_pipeline.tfrecord import shard_paths
from t2i_tf.metrics import inception, r_precision, streams
from t2i_tf.metrics.birds import Readings, UnseenBirds, exchanged_codes, seed_std
from t2i_tf.metrics.faithfulness import faithfulness, labels, load_or_train_reader
from t2i_tf.metrics.features import Extractor
from t2i_tf.metrics.fid import FeatureStatistics, fid
from t2i_tf.metrics.inception_score import SPLITS
from t2i_tf.metrics.scores import Scores, measure
from t2i_tf.metrics.streams import REPEATS
from t2i_tf.models import model_directory

METRICS = ("is", "fid", "r_precision", "faithfulness")
INCEPTION_SCORE, FID, R_PRECISION, FAITHFULNESS = METRICS


def choose_metrics(
    asked: Sequence[str] | None,
    of_model: bool,
    has_real: bool,
    of_birds: bool,
    sources: Sequence[str],
) -> Sequence[str]:
    """The metrics to measure: those asked for, or all that are possible.

    Args:
        asked: The metrics that the user wants, None for all possible ones.
        of_model: Whether a model draws the pictures, whose captions are known then.
        has_real: Whether there are real pictures.
        of_birds: Whether it is known what the captions' birds look like.
        sources: Where the networks come from, see `inception.load`.

    Raises:
        UserError: A metric is unknown or not possible, or no network is named.
    """
    if not sources:
        raise UserError("no network is named")
    problems = {}
    if all(source == inception.DAMSM for source in sources):
        problems[INCEPTION_SCORE] = "a network that knows classes, which damsm does not"
    if not has_real:
        problems[FID] = "real pictures to compare with, those of a data set"
    if not of_birds:
        problems[FAITHFULNESS] = "the true attributes of the birds, which only drawn birds have"
    if not of_model:
        for metric in (R_PRECISION, FAITHFULNESS):
            problems[metric] = "the captions of the pictures, which only a model's pictures have"
    for metric in asked or ():
        if metric not in METRICS:
            raise UserError(f"{metric!r} is none of {', '.join(METRICS)}")
        if metric in problems:
            raise UserError(f"{metric} needs {problems[metric]}")
    chosen = asked or [metric for metric in METRICS if metric not in problems]
    if not chosen:
        raise UserError(f"nothing to measure: {FID} needs {problems[FID]}")
    return chosen


@dataclasses.dataclass(frozen=True)
class Judge:
    """A DAMSM that judges R-precision.

    Attributes:
        name: Name of the judge in a report.
        model: A `ModelDirectory` with an image encoder.
        extractor: That encoder's codes.
    """

    name: str
    model: model_directory.ModelDirectory
    extractor: Extractor

    @classmethod
    def load(cls, name: str, directory: str | Path, max_words: int | None = None) -> "Judge":
        """Loads a model directory's encoders.

        Args:
            name: Name of the judge in a report.
            directory: What `model_directory.find` takes.
            max_words: Words that the judge reads of a caption; by default those of its config.

        Raises:
            UserError: The directory lacks them.
        """
        found = model_directory.find(directory)
        weights = model_directory.weights_file(found, "image_encoder")
        if (found / model_directory.CONFIG).is_file() and not weights.is_file():
            raise UserError(
                f"{directory} has no image encoder ({weights.name}), which {R_PRECISION} and the "
                f"network {inception.DAMSM} need: leave them out"
            )
        model = model_directory.load(directory, need=("image_encoder",), max_words=max_words)
        return cls(name, model, inception.damsm_extractor(model.image_encoder, directory))


class RealSet:
    """The real pictures of a data set's test split.

    Args:
        data_dir: The data set.

    Attributes:
        split: The `Split`.
        name: `<dataset>-test`.
        of_birds: Whether the records say what their birds look like, as drawn birds' do.
        sha256: SHA-256 of its shards.
    """

    def __init__(self, data_dir: str | Path):
        self.split = Split(data_dir, "test")
        dataset = self.split.info.dataset
        self.name = f"{dataset}-test"
        first = self.split.example(0)["attributes"]
        self.of_birds = bool(first) and set(PARTS) <= set(json.loads(first))
        self.sha256 = file_sha256(*shard_paths(data_dir, dataset, "test"))

    def statistics(
        self, extractor: Extractor, size: int, batch_size: int, folder: Path
    ) -> FeatureStatistics:
        """The statistics of a network's features; the first call keeps them in `folder`."""
        parts = (self.sha256, size, extractor.sha256, extractor.resize)
        key = hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
        path = folder / f"real_{extractor.scale}_{key}.npz"
        if path.is_file():
            return FeatureStatistics.load(path)
        statistics = self._scores(extractor, size, batch_size, statistics=True).statistics
        statistics.save(path)
        return statistics

    def codes(self, extractor: Extractor, size: int, batch_size: int) -> np.ndarray:
        """The features of all pictures, `[N, D]`."""
        return self._scores(extractor, size, batch_size, codes=True).codes

    def _scores(self, extractor, size, batch_size, **kept):
        scores = Scores(extractor, len(self.split), **kept)
        pictures = streams.real_pictures(self.split, size, batch_size)
        measure(pictures, len(self.split), [scores], f"real pictures ({extractor.scale})")
        return scores


def evaluate(
    pictures: streams.Pictures,
    metrics: Collection[str],
    extractors: Sequence[Extractor],
    real: RealSet | None,
    judges: Sequence[Judge],
    batch_size: int,
    folder: Path,
) -> dict:
    """Measures pictures; returns the report that `report.write` takes, without `of`.

    Args:
        pictures: The pictures to measure.
        metrics: Some of `METRICS`.
        extractors: Networks of Inception Score and FID; the former skips those without classes.
        real: The real pictures, which all but the Inception Score need.
        judges: DAMSMs that judge R-precision; the pictures must have a plan then.
        batch_size: Real pictures per batch.
        folder: Where the statistics of the real pictures are kept.

    Raises:
        UserError: There are too few pictures or classes for a figure.
    """
    if judges:
        _check_plan(pictures.plan)
    birds = readings = None
    if FAITHFULNESS in metrics:
        reader = load_or_train_reader(real.split.data_dir, pictures.size, folder)
        birds = UnseenBirds.load(real.split.data_dir, pictures.size, len(real.split))
        readings = Readings(reader)
    judging = [judge.extractor for judge in judges]
    scores = {
        extractor: Scores(
            extractor,
            pictures.count,
            inception_score=(
                INCEPTION_SCORE in metrics and extractor in extractors and extractor.classes > 0
            ),
            statistics=FID in metrics and extractor in extractors,
            codes=extractor in judging,
        )
        for extractor in dict.fromkeys([*extractors, *judging])
    }
    known = {
        extractor: real.statistics(extractor, pictures.size, batch_size, folder)
        for extractor in (extractors if FID in metrics else ())
    }
    scored = [*scores.values(), *([readings] if readings else [])]
    measure(pictures.batches, pictures.count, scored, "pictures")
    return {
        "version": VERSION,
        "pictures": {"count": pictures.count, "size": pictures.size, **pictures.about},
        "real": real
        and {
            "name": real.name,
            "count": len(real.split),
            "sha256": real.sha256,
            "crop": f"central {pictures.size} of {size_to_crop(pictures.size)} px",
        },
        "networks": [_network(scores[e], known.get(e), birds, batch_size) for e in extractors],
        "r_precision": [
            _judgement(judge, scores[judge.extractor].codes, pictures, real, birds, batch_size)
            for judge in judges
        ],
        "faithfulness": readings and _faithfulness(readings, reader, pictures, birds),
    }


def _check_plan(plan):
    if len(plan.texts) < r_precision.FOLDS:
        raise UserError(
            f"R-precision needs at least {r_precision.FOLDS} pictures, not {len(plan.texts)}"
        )
    if len(np.unique(plan.class_ids)) < 2:
        raise UserError("R-precision needs captions of two classes, the test split has one")


def _network(scores, known, birds, batch_size):
    extractor = scores.extractor
    figures = {
        name: getattr(extractor, name) for name in ("scale", "name", "weights", "sha256", "resize")
    }
    if scores.inception_score is not None:
        mean, std = scores.inception_score.result()
        figures["inception_score"] = {
            "mean": mean,
            "std": std,
            "splits": SPLITS,
            "pictures": scores.scored,
        }
    if known is not None:
        figures["fid"] = fid(scores.statistics, known)
        if birds:
            noise = Scores(extractor, len(birds), statistics=True)
            pictures = birds.colour_noise
            starts = range(0, len(birds), batch_size)
            batches = (pictures[start : start + batch_size] for start in starts)
            measure(batches, len(birds), [noise], f"colour noise ({extractor.scale})")
            figures["fid_colour_noise"] = fid(noise.statistics, known)
    return figures


def _faithfulness(readings, reader, pictures, birds):
    """What the reader reads from the pictures, from colour noise and from real pictures."""
    plan = pictures.plan
    told_by_plan = [told(text) for text in plan.texts]
    own = faithfulness(readings.read, labels(plan.attributes), told_by_plan)
    noise = faithfulness(reader(birds.colour_noise), birds.attributes, birds.told)
    real = faithfulness(reader(birds.pictures), birds.attributes, birds.told)
    apart = {"pictures": seed_std(pictures.repeated), "real": seed_std(birds.of_species(REPEATS))}
    return {
        "reader": {"size": reader.size},
        "figures": {
            name: {"pictures": value, "colour_noise": noise.get(name), "real": real.get(name)}
            for name, value in own.items()
        },
        "seed_std": {**apart, "seeds": REPEATS},
    }


def _judgement(judge, codes, pictures, real, birds, batch_size):
    """R-precision of the pictures and, to compare, R-precision and recall of the real pictures."""
    plan = pictures.plan
    sentences = r_precision.sentence_codes(judge.model, plan.texts)
    mean, std = r_precision.fold_r_precision(codes, sentences, plan.class_ids)
    texts, class_ids = streams.first_captions(real.split)
    real_codes = real.codes(judge.extractor, pictures.size, batch_size)
    real_sentences = r_precision.sentence_codes(judge.model, texts)
    permuted = {}
    if birds:
        wrong = exchanged_codes(judge.model, plan.texts)
        permuted = r_precision.permuted_r_precision(codes, sentences, wrong)
        wrong = exchanged_codes(judge.model, texts)
        of_real = r_precision.permuted_r_precision(real_codes, real_sentences, wrong)
        permuted = {"permuted": {**permuted, "real": of_real["value"]}}
    return {
        "judge": judge.name,
        "weights": judge.extractor.weights,
        "sha256": judge.extractor.sha256,
        "mean": mean,
        "std": std,
        "folds": r_precision.FOLDS,
        "wrong_captions": r_precision.wrong_captions(plan.class_ids),
        **permuted,
        "real": {
            "wrong_captions": r_precision.wrong_captions(class_ids),
            "r_precision": r_precision.r_precision(real_codes, real_sentences, class_ids),
            "recall_at_1": r_precision.recall_at_k(real_codes, real_sentences, 1),
            "recall_at_5": r_precision.recall_at_k(real_codes, real_sentences, 5),
            "of": len(texts),
        },
    }
