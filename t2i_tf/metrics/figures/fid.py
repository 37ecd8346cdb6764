"""Fréchet distance between the features of two sets of pictures (FID).

Pure NumPy in float64; the features come from the networks of `t2i_tf.metrics.inception`.
"""

import numpy as np

from t2i_tf.metrics.figures.interval import Figure, fold_bounds

ROWS = 1000


class FeatureStatistics:
    """Count, mean and covariance of features that come in batches, in constant memory.

    Args:
        dim: D, the number of features of a picture.

    Attributes:
        count: Pictures so far, N.
        mean: float64 `[D]`.
    """

    def __init__(self, dim: int):
        self.count = 0
        self.mean = np.zeros(dim)
        self._scatter = np.zeros((dim, dim))  # the sum of (x - mean) (x - mean)^T

    @property
    def covariance(self) -> np.ndarray:
        """The sample covariance, float64 `[D, D]`, as `np.cov(features, rowvar=False)`.

        Raises:
            ValueError: There are fewer than two pictures.
        """
        if self.count < 2:
            raise ValueError(f"a covariance needs at least two pictures, got {self.count}")
        return self._scatter / (self.count - 1)

    def update(self, features: np.ndarray) -> None:
        """Adds the features `[B, D]` of further pictures."""
        features = np.asarray(features, np.float64)
        if len(features):
            mean = features.mean(axis=0)
            rows = features - mean
            self._add(len(features), mean, rows)

    def _add(self, count, mean, rows):
        """Pairwise update of Chan, Golub and LeVeque (1979); `rows` have a mean of zero."""
        total = self.count + count
        difference = mean - self.mean
        between = np.sqrt(self.count * count / total) * difference
        rows = np.concatenate([rows, between[None]])
        self._scatter += rows.T @ rows
        self.mean = self.mean + difference * (count / total)
        self.count = total

    @classmethod
    def of(cls, features: np.ndarray) -> "FeatureStatistics":
        """The statistics of features `[N, D]`."""
        statistics = cls(features.shape[1])
        for start in range(0, len(features), ROWS):
            statistics.update(features[start : start + ROWS])
        return statistics

    def without(self, part: "FeatureStatistics") -> "FeatureStatistics":
        """The statistics of the pictures that are not in `part`, some of these."""
        rest = FeatureStatistics(len(self.mean))
        rest.count = self.count - part.count
        rest.mean = (self.count * self.mean - part.count * part.mean) / rest.count
        between = (part.mean - rest.mean) * np.sqrt(part.count * rest.count / self.count)
        rest._scatter = self._scatter - part._scatter - np.outer(between, between)
        return rest


def frechet_distance(
    mean_1: np.ndarray, covariance_1: np.ndarray, mean_2: np.ndarray, covariance_2: np.ndarray
) -> float:
    """Squared Fréchet distance of two Gaussians (Heusel et al., 2017, equation 6).

    |m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2)). The trace of the last term is that of
    (C1^(1/2) C2 C1^(1/2))^(1/2), which is symmetric, so its eigenvalues are exact. The general
    matrix square root of the published code fails on singular covariances, adds 1e-6 to their
    diagonals and drops imaginary parts. On regular covariances both agree.

    Args:
        mean_1: `[D]`.
        covariance_1: Symmetric, positive semidefinite `[D, D]`.
        mean_2: `[D]`.
        covariance_2: As `covariance_1`.
    """
    return _distance(mean_1, covariance_1, _root(covariance_1), mean_2, covariance_2)


def fid(one: FeatureStatistics, other: FeatureStatistics) -> float:
    """The Fréchet distance between two sets of pictures.

    Raises:
        ValueError: A set has fewer than two pictures.
    """
    return frechet_distance(one.mean, one.covariance, other.mean, other.covariance)


def fid_figure(drawn: np.ndarray, real: np.ndarray) -> Figure:
    """FID with its interval.

    FID falls with the number of pictures, so tenths cannot tell its interval; leaving a tenth out
    can.

    Args:
        drawn: Features `[N, D]`.
        real: Features `[M, D]`.

    Raises:
        UserError: There are fewer pictures than folds.
    """
    folds = fold_bounds(len(drawn))
    whole, known = FeatureStatistics.of(drawn), FeatureStatistics.of(real)
    covariance = known.covariance
    root = _root(covariance)

    def distance(own):
        return _distance(known.mean, covariance, root, own.mean, own.covariance)

    rests = (whole.without(FeatureStatistics.of(drawn[start:end])) for start, end in folds)
    return Figure(distance(whole), np.array([distance(rest) for rest in rests]))


def _distance(mean_1, covariance_1, root_1, mean_2, covariance_2):
    product = np.linalg.eigvalsh(root_1 @ covariance_2 @ root_1)
    difference = np.asarray(mean_1, np.float64) - mean_2
    spread = np.trace(covariance_1) + np.trace(covariance_2) - 2.0 * _roots(product).sum()
    return float(max(difference @ difference + spread, 0.0))


def _root(covariance):
    """The symmetric square root."""
    values, vectors = np.linalg.eigh(np.asarray(covariance, np.float64))
    return (vectors * _roots(values)) @ vectors.T


def _roots(eigenvalues):
    """Square roots of eigenvalues that rounding may have brought below zero."""
    return np.sqrt(np.maximum(eigenvalues, 0.0))
