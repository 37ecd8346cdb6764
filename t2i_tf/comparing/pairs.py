"""Whether two models differ: a paired test over the same captions and seeds."""

import dataclasses
import math

from t2i_tf.metrics.figures.interval import FOLDS, STUDENT, Figure, jackknife_error


@dataclasses.dataclass(frozen=True)
class Difference:
    """How much larger one model's figure is than another's.

    Attributes:
        value: The first minus the second.
        error: Its standard error, by the jackknife over the folds that the models share.
        p: Two-sided p-value of Student's t test with `FOLDS` - 1 degrees of freedom.
    """

    value: float
    error: float
    p: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference."""
        return self.value - STUDENT * self.error, self.value + STUDENT * self.error


def paired(first: Figure, second: Figure) -> Difference:
    """The difference of two models' figures of the same captions and seeds.

    What makes captions easy or hard for both cancels out, so that models can differ whose own
    intervals overlap.
    """
    value = first.value - second.value
    error = jackknife_error(first.without - second.without)
    if error == 0.0:
        return Difference(value, 0.0, 1.0 if value == 0.0 else 0.0)
    return Difference(value, error, p_value(value / error))


def p_value(t: float) -> float:
    """Two-sided p-value of Student's t with `FOLDS` - 1 = 9 degrees of freedom, an odd number.

    Abramowitz and Stegun, 26.7.3.
    """
    degrees = FOLDS - 1
    angle = math.atan(abs(t) / math.sqrt(degrees))
    term = total = math.cos(angle)
    for i in range(2, degrees - 1, 2):
        term *= math.cos(angle) ** 2 * i / (i + 1)
        total += term
    within = 2.0 / math.pi * (angle + math.sin(angle) * total)
    return max(1.0 - within, 0.0)
