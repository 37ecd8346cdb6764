"""The metrics: what each one needs, and how it is computed of a network's features."""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from data_pipeline.support.errors import UserError
from t2i_tf.metrics.figures.fid import fid_figure
from t2i_tf.metrics.figures.interval import Figure
from t2i_tf.metrics.figures.kid import kid
from t2i_tf.metrics.figures.neighbours import density_coverage, precision_recall

# What a metric can need, and the words for it.
CLASSES, REAL, SEEDS, CAPTIONS, CLIP, ATTRIBUTES = NEEDS = (
    "a network that knows classes, which damsm does not",
    "real pictures to compare with, those of a data set",
    "a model, which draws a caption from several seeds",
    "the captions of the pictures, which only a model's pictures have",
    "--clip=<a keras-hub preset or its folder>",
    "the true attributes of the birds, which only drawn birds have",
)

Compare = Callable[[np.ndarray, np.ndarray], Mapping[str, Figure]]


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        needs: Some of `NEEDS`.
        compare: Figures from the features of drawn and of real pictures, `[N, D]` and `[M, D]`;
            None for a metric of another kind.
    """

    needs: Collection[str]
    compare: Compare | None = None


INCEPTION_SCORE, FID, DIVERSITY, R_PRECISION = "is", "fid", "diversity", "r_precision"
CLIP_METRIC, FAITHFULNESS = "clip", "faithfulness"
METRICS = {
    INCEPTION_SCORE: Metric([CLASSES]),
    FID: Metric([REAL], lambda drawn, real: {"fid": fid_figure(drawn, real)}),
    "kid": Metric([REAL], lambda drawn, real: {"kid": kid(drawn, real)}),
    "precision_recall": Metric([REAL], precision_recall),
    "density_coverage": Metric([REAL], density_coverage),
    DIVERSITY: Metric([SEEDS]),
    R_PRECISION: Metric([CAPTIONS]),
    CLIP_METRIC: Metric([CAPTIONS, CLIP]),
    FAITHFULNESS: Metric([CAPTIONS, ATTRIBUTES]),
}


def choose(asked: Sequence[str] | None, has: Collection[str]) -> Sequence[str]:
    """The metrics to measure: those asked for, or all that are possible.

    Args:
        asked: The metrics that the user wants, None for all possible ones.
        has: What there is, some of `NEEDS`.

    Raises:
        UserError: A metric is unknown or lacks what it needs, or none is possible.
    """
    missing = {
        name: [need for need in metric.needs if need not in has] for name, metric in METRICS.items()
    }
    for name in asked or ():
        if name not in METRICS:
            raise UserError(f"{name!r} is none of {', '.join(METRICS)}")
        if missing[name]:
            raise UserError(f"{name} needs {missing[name][0]}")
    chosen = asked or [name for name in METRICS if not missing[name]]
    if not chosen:
        raise UserError(f"nothing to measure: {FID} needs {REAL}")
    return chosen


def of_networks(metrics: Collection[str]) -> bool:
    """Whether any of the metrics needs a network of --inception."""
    return any(name in (INCEPTION_SCORE, DIVERSITY) or METRICS[name].compare for name in metrics)
