"""A figure with its interval: how far it would move if other captions and seeds were drawn."""

import dataclasses

import numpy as np

from data_pipeline.support.errors import UserError

FOLDS = 10
# 95 % of Student's distribution with FOLDS - 1 degrees of freedom lies within this many errors.
STUDENT = 2.262


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure of a set of pictures.

    Attributes:
        value: Of all pictures.
        without: float64 `[FOLDS]`, the figure without each tenth of the pictures. Of two models
            that drew the same captions and seeds, these values are pairs.
        std: The population standard deviation over the folds' own figures, where papers print it.
    """

    value: float
    without: np.ndarray
    std: float | None = None

    @classmethod
    def mean(cls, values: np.ndarray) -> "Figure":
        """The mean of a value of each picture, `[N]`."""
        values = np.asarray(values, np.float64)
        check_count(len(values))
        folds = np.array_split(values, FOLDS)
        sums, counts = np.array([[fold.sum(), len(fold)] for fold in folds]).T
        return cls(float(values.mean()), (sums.sum() - sums) / (counts.sum() - counts))

    @classmethod
    def of_folds(cls, folds: np.ndarray) -> "Figure":
        """The mean of `FOLDS` parts' own figures, as of Inception Scores."""
        folds = np.asarray(folds, np.float64)
        without = (folds.sum() - folds) / (len(folds) - 1)
        return cls(float(folds.mean()), without, float(folds.std()))

    @property
    def error(self) -> float:
        """The standard error by the jackknife over the folds (Efron and Tibshirani, 1993)."""
        return jackknife_error(self.without)

    def described(self) -> dict[str, float]:
        """Value, standard error and, where papers print it, standard deviation."""
        std = {} if self.std is None else {"std": self.std}
        return {"value": self.value, "error": self.error, **std}


def jackknife_error(without: np.ndarray) -> float:
    """The standard error of a figure from its values without each fold, `[FOLDS]`."""
    deviations = without - np.mean(without)
    return float(np.sqrt((len(without) - 1) / len(without) * np.sum(deviations**2)))


def check_count(count: int, what: str = "pictures") -> None:
    """Raises a `UserError` if there are fewer pictures than folds."""
    if count < FOLDS:
        raise UserError(f"figures with intervals need at least {FOLDS} {what}, not {count}")


def fold_bounds(count: int) -> list[tuple[int, int]]:
    """First row and end of each contiguous tenth of `count` pictures, as `np.array_split`."""
    check_count(count)
    sizes = np.full(FOLDS, count // FOLDS) + (np.arange(FOLDS) < count % FOLDS)
    ends = np.cumsum(sizes)
    return [(int(end - size), int(end)) for size, end in zip(sizes, ends, strict=True)]
