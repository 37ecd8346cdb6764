import numpy as np
import pytest

from data_pipeline.support.errors import UserError
from t2i_tf.metrics.figures.diversity import feature_spreads, pixel_spreads
from t2i_tf.metrics.figures.interval import Figure, fold_bounds


def test_error_of_a_mean_is_that_of_statistics(rng):
    values = rng.standard_normal(10)  # A picture a fold: the textbook's standard error.
    figure = Figure.mean(values)
    assert figure.value == pytest.approx(values.mean())
    assert figure.error == pytest.approx(values.std(ddof=1) / np.sqrt(10))
    assert figure.without[3] == pytest.approx(np.delete(values, 3).mean())


def test_unequal_folds_weigh_as_many_pictures_as_they_have():
    figure = Figure.mean(np.arange(11))  # The first fold has two.
    assert figure.without[0] == pytest.approx(np.arange(2, 11).mean())
    assert figure.without[9] == pytest.approx(np.arange(10).mean())


def test_errors_cover_the_truth_as_often_as_they_should(rng):
    inside = 0
    for _ in range(400):
        figure = Figure.mean(rng.standard_normal(200) + 3.0)
        inside += abs(figure.value - 3.0) < 2.262 * figure.error
    assert 0.91 < inside / 400 < 0.985


def test_folds_are_those_of_numpy():
    parts = np.array_split(np.arange(47), 10)
    assert fold_bounds(47) == [(part[0], part[-1] + 1) for part in parts]


def test_fewer_pictures_than_folds_are_refused():
    for refused in (lambda: Figure.mean(np.ones(9)), lambda: fold_bounds(9)):
        with pytest.raises(UserError, match="at least 10 pictures, not 9"):
            refused()


def test_spread_of_pixels_by_hand():
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    same, different = np.stack([black, black]), np.stack([black, white])
    # Values -1 and 1: the sample standard deviation is the square root of 2.
    np.testing.assert_allclose(pixel_spreads([same, different]), [0.0, np.sqrt(2)], rtol=1e-6)


def test_spread_of_features_by_hand():
    alike, across = [[1.0, 0.0], [3.0, 0.0]], [[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]]
    # Cosines 0, -1 and 0: distances 1, 2 and 1.
    np.testing.assert_allclose(feature_spreads([alike, across]), [0.0, 4 / 3], atol=1e-12)
