"""Precision, recall, density and coverage: which pictures lie among the other set's neighbours.

Each picture has a neighbourhood: the ball that reaches to its k-th nearest neighbour in its own
set. Distances are computed a few rows at a time, so memory is bounded.
"""

from collections.abc import Iterator

import numpy as np

from data_pipeline.support.errors import UserError
from t2i_tf.metrics.figures.interval import Figure

PRECISION_K, COVERAGE_K = 3, 5
ROWS = 500


def precision_recall(
    drawn: np.ndarray, real: np.ndarray, k: int = PRECISION_K
) -> dict[str, Figure]:
    """Improved precision and recall (Kynkaanniemi et al., 2019).

    Args:
        drawn: Features `[N, D]`.
        real: Features `[M, D]`.
        k: Which neighbour a neighbourhood reaches to.

    Returns:
        `precision`, the share of drawn pictures in a real one's neighbourhood, and `recall`, the
        share of real pictures in a drawn one's. The intervals take neighbourhoods as given.

    Raises:
        UserError: A set has no more than k pictures.
    """
    return {
        "precision": Figure.mean(_inside(drawn, real, radii(real, k))),
        "recall": Figure.mean(_inside(real, drawn, radii(drawn, k))),
    }


def density_coverage(drawn: np.ndarray, real: np.ndarray, k: int = COVERAGE_K) -> dict[str, Figure]:
    """Density and coverage (Naeem et al., 2020).

    Args:
        drawn: Features `[N, D]`.
        real: Features `[M, D]`.
        k: Which neighbour a real picture's neighbourhood reaches to.

    Returns:
        `density`, in how many k-ths of real neighbourhoods a drawn picture lies, which may exceed
        1, and `coverage`, the share of real pictures with a drawn one in their neighbourhood.

    Raises:
        UserError: There are no more than k real pictures.
    """
    reach = radii(real, k)
    inside, covered = [], np.zeros(len(real), bool)
    for distances in _squared_distances(drawn, real):
        within = distances < reach
        inside.append(within.sum(axis=1) / k)
        covered |= within.any(axis=0)
    return {"density": Figure.mean(np.concatenate(inside)), "coverage": Figure.mean(covered)}


def radii(features: np.ndarray, k: int) -> np.ndarray:
    """Squared distance of each row `[N, D]` to its k-th nearest other row, `[N]`.

    Raises:
        UserError: There are no more than k rows.
    """
    if len(features) <= k:
        raise UserError(f"neighbourhoods of {k} need more than {k} pictures, not {len(features)}")
    found = []
    for start, distances in zip(
        range(0, len(features), ROWS), _squared_distances(features, features), strict=True
    ):
        rows = np.arange(len(distances))
        distances[rows, start + rows] = np.inf  # itself
        found.append(np.partition(distances, k - 1, axis=1)[:, k - 1])
    return np.concatenate(found)


def nearest(features: np.ndarray, others: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of `others` `[M, D]` to each row `[N, D]`: rows and distances `[N, k]`."""
    rows, distances = [], []
    for block in _squared_distances(features, others):
        order = np.argsort(block, axis=1, kind="stable")[:, :k]
        rows.append(order)
        distances.append(np.sqrt(np.take_along_axis(block, order, axis=1)))
    return np.concatenate(rows), np.concatenate(distances)


def _inside(features, others, reach):
    """Whether each row lies in the neighbourhood of any of the others, bool `[N]`."""
    blocks = _squared_distances(features, others)
    return np.concatenate([(block <= reach).any(axis=1) for block in blocks])


def _squared_distances(features: np.ndarray, others: np.ndarray) -> Iterator[np.ndarray]:
    """Squared distances of `ROWS` rows at a time to all others, `[b, M]` each."""
    centre = others.mean(axis=0, dtype=np.float64).astype(np.float32)  # Keeps the squares small.
    others = others - centre
    squares = np.einsum("ij,ij->i", others, others)
    for start in range(0, len(features), ROWS):
        rows = features[start : start + ROWS] - centre
        own = np.einsum("ij,ij->i", rows, rows)[:, None]
        yield np.maximum(own + squares - 2.0 * (rows @ others.T), 0.0)
