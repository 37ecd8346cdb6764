"""Inception Score (Salimans et al., 2016): whether pictures are clear and of many kinds."""

import numpy as np

SPLITS = 10


class InceptionScore:
    """The Inception Score of pictures that come in batches, in constant memory.

    Args:
        count: N, how many pictures there will be; further ones are ignored.
        classes: K.
        splits: Number of contiguous parts that are scored separately.

    Raises:
        ValueError: There are fewer pictures than splits.
    """

    def __init__(self, count: int, classes: int, splits: int = SPLITS):
        if count < splits:
            raise ValueError(f"{splits} splits need at least as many pictures, got {count}")
        self._ends = np.arange(1, splits + 1) * count // splits
        self._seen = 0
        self._probabilities = np.zeros((splits, classes))
        self._negative_entropy = np.zeros(splits)

    def update(self, probabilities: np.ndarray) -> None:
        """Adds the class probabilities `[B, K]` of the next pictures."""
        probabilities = np.asarray(probabilities, np.float64)[: self._ends[-1] - self._seen]
        rows = np.arange(self._seen, self._seen + len(probabilities))
        parts = np.searchsorted(self._ends, rows, side="right")
        np.add.at(self._probabilities, parts, probabilities)
        np.add.at(self._negative_entropy, parts, _p_log_p(probabilities))
        self._seen += len(probabilities)

    def result(self) -> tuple[float, float]:
        """Mean and population standard deviation of `split_scores`."""
        scores = self.split_scores()
        return float(scores.mean()), float(scores.std())

    def split_scores(self) -> np.ndarray:
        """exp(mean KL(p(y|x) || p(y))) of each split.

        Raises:
            ValueError: Fewer pictures have come than were announced.
        """
        if self._seen < self._ends[-1]:
            raise ValueError(f"{self._seen} of {self._ends[-1]} pictures have come")
        counts = np.diff(self._ends, prepend=0)
        marginals = self._probabilities / counts[:, None]
        # The mean of sum p log(p / q) over a split, q being the mean of its p.
        return np.exp(self._negative_entropy / counts - _p_log_p(marginals))


def inception_score(probabilities: np.ndarray, splits: int = SPLITS) -> tuple[float, float]:
    """Mean and population standard deviation of the Inception Score over contiguous splits.

    Args:
        probabilities: Class probabilities `[N, K]`, one row per picture.
        splits: Number of parts; split i begins at row i * N // splits.

    Raises:
        ValueError: There are fewer pictures than splits.
    """
    score = InceptionScore(*np.shape(probabilities), splits)
    score.update(probabilities)
    return score.result()


def _p_log_p(probabilities):
    """Sum of p log p over the last axis, where 0 log 0 = 0."""
    logarithms = np.log(probabilities, where=probabilities > 0, out=np.zeros_like(probabilities))
    return (probabilities * logarithms).sum(axis=-1)
