"""Kernel Inception Distance (Binkowski et al., 2018): FID's neighbour without a bias in N."""

import numpy as np

from data_pipeline.support.errors import UserError
from t2i_tf.metrics.figures.interval import FOLDS, Figure, fold_bounds

SUBSETS, SUBSET = 100, 1000


def kid(drawn: np.ndarray, real: np.ndarray, seed: int = 0) -> Figure:
    """The mean of `squared_mmd` over 100 random subsets, ten of each tenth of the pictures.

    Published code draws its subsets from all pictures; drawn from tenths they give an interval too.
    The estimate has no bias, so its expectation is the same.

    Args:
        drawn: Features `[N, D]`.
        real: Features `[M, D]`.
        seed: Decides the subsets, each of `subset_size` pictures.

    Raises:
        UserError: There are fewer than two pictures in a tenth.
    """
    size = subset_size(len(drawn), len(real))
    rng = np.random.default_rng(seed)
    folds = []
    for start, end in fold_bounds(len(drawn)):
        distances = []
        for _ in range(SUBSETS // FOLDS):
            own = start + rng.choice(end - start, size, replace=False)
            others = rng.choice(len(real), size, replace=False)
            distances.append(squared_mmd(drawn[own], real[others]))
        folds.append(np.mean(distances))
    return Figure.of_folds(np.array(folds))


def subset_size(drawn: int, real: int) -> int:
    """Pictures in each subset of `kid`: 1,000, or as many as there are.

    Raises:
        UserError: They are fewer than two.
    """
    size = min(SUBSET, drawn // FOLDS, real)
    if size < 2:
        raise UserError(
            f"KID needs at least {2 * FOLDS} pictures and two real ones, not {drawn} and {real}"
        )
    return size


def squared_mmd(one: np.ndarray, other: np.ndarray) -> float:
    """The squared maximum mean discrepancy, unbiased, with the kernel (x y / D + 1)^3.

    Binkowski et al., 2018, section 4.

    Args:
        one: `[n, D]`.
        other: `[m, D]`.
    """
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    within = sum(_mean_off_diagonal(_kernel(own, own)) for own in (one, other))
    return float(within - 2.0 * _kernel(one, other).mean())


def _kernel(one, other):
    products = one @ other.T / one.shape[1] + 1.0
    return products * products * products  # ** 3 is a hundred times slower.


def _mean_off_diagonal(kernel):
    count = len(kernel)
    return (kernel.sum() - np.trace(kernel)) / (count * (count - 1))
