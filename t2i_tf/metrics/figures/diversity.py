"""How different the pictures of one caption are that several seeds gave."""

from collections.abc import Iterable

import numpy as np

from data_pipeline.pixels import to_float


def pixel_spreads(groups: Iterable[np.ndarray]) -> np.ndarray:
    """The spread of pixels over the seeds of each caption.

    Args:
        groups: For each caption uint8 pictures `[n, H, W, 3]`, n of at least 2.

    Returns:
        For each caption the sample standard deviation of each value in [-1, 1] over the n pictures,
        averaged over values.
    """
    return np.array([np.std(to_float(group), axis=0, ddof=1).mean() for group in groups])


def feature_spreads(groups: Iterable[np.ndarray]) -> np.ndarray:
    """The spread of features over the seeds of each caption.

    Args:
        groups: For each caption features `[n, D]`, n of at least 2.

    Returns:
        For each caption the mean cosine distance, 1 - cos, over all pairs of its pictures.
    """
    return np.array([_mean_distance(np.asarray(group, np.float64)) for group in groups])


def _mean_distance(features):
    norms = np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-8)
    cosines = (features / norms) @ (features / norms).T
    return 1.0 - np.mean(cosines[np.triu_indices(len(features), 1)])
