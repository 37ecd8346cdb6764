"""KID against a closed form and against published code."""

import numpy as np
import pytest

from data_pipeline.support.errors import UserError
from t2i_tf.metrics.figures import kid


def test_squared_mmd_by_hand():
    # Kernel (x y + 1)^3 of one feature: k(1, 2) = 27, k(0, 3) = 1; between: 1, 64, 1, 343.
    one, other = np.array([[1.0], [2.0]]), np.array([[0.0], [3.0]])
    assert kid.squared_mmd(one, other) == pytest.approx(27 + 1 - 2 * (1 + 64 + 1 + 343) / 4)


def test_squared_mmd_is_that_of_torchmetrics(pair):
    # torchmetrics 1.9.0, torchmetrics/image/kid.py, poly_mmd in float64, for sets of one size.
    drawn, real = pair
    assert kid.squared_mmd(drawn[:60], real) == pytest.approx(0.5074425603607717, rel=1e-9)


def test_kid_of_gaussians_is_the_closed_form(rng):
    # One feature: E k(x, y) = 1 + 3 m1 m2 + 3 s1 s2 + t1 t2 with raw moments m, s, t; the third of
    # a Gaussian is mean^3 + 3 mean variance.
    def moments(mean, std):
        return mean, mean**2 + std**2, mean**3 + 3 * mean * std**2

    def kernel(one, other):
        return 1 + 3 * one[0] * other[0] + 3 * one[1] * other[1] + one[2] * other[2]

    a, b = moments(0.0, 1.0), moments(0.5, 0.7)
    expected = kernel(a, a) + kernel(b, b) - 2 * kernel(a, b)
    drawn = rng.standard_normal((5000, 1))
    real = 0.5 + 0.7 * rng.standard_normal((5000, 1))
    figure = kid.kid(drawn, real)
    assert abs(figure.value - expected) < 4 * figure.error
    assert figure.error < expected / 4


def test_equal_sets_have_no_distance_on_average(rng):
    figure = kid.kid(*rng.standard_normal((2, 2000, 4)))
    assert abs(figure.value) < 4 * figure.error


def test_subsets_are_as_large_as_there_are_pictures():
    assert kid.subset_size(30000, 2933) == 1000
    assert kid.subset_size(500, 2933) == 50
    assert kid.subset_size(30000, 40) == 40
    with pytest.raises(UserError, match="at least 20 pictures and two real ones, not 19 and 40"):
        kid.subset_size(19, 40)


def test_kid_is_a_function_of_its_seed(pair):
    assert kid.kid(*pair).value == kid.kid(*pair).value != kid.kid(*pair, seed=1).value
