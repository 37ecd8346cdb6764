"""Precision, recall, density and coverage, counted by hand and by published code."""

import numpy as np
import pytest

from data_pipeline.support.errors import UserError
from t2i_tf.metrics.figures import neighbours

# On a line, the nearest neighbour of real 0 is 1 away, of 1 is 1, of 3 is 2, and so on.
REAL = np.array([[0], [1], [3], [7], [12], [18], [25], [33], [42], [52]], np.float32)


def on_line(*places):
    return np.array(places, np.float32)[:, None]


def values(figures):
    return {name: figure.value for name, figure in figures.items()}


def test_radii_by_hand():
    distances = np.sqrt(neighbours.radii(REAL, 1))
    np.testing.assert_allclose(distances, [1, 1, 2, 4, 5, 6, 7, 8, 9, 10], rtol=1e-5)
    distances = np.sqrt(neighbours.radii(REAL, 2))
    np.testing.assert_allclose(distances[:4], [3, 2, 3, 5], rtol=1e-5)


def test_precision_and_recall_by_hand():
    # k = 1. Real balls cover [-1, 2], [1, 5], [3, 11] and so on up to 62. Of the drawn, -9, 70 and
    # 90 are outside. Their own balls reach 9.5 around -9 and 0.5, 3.5 around 4, 9 around 61, ...
    drawn = on_line(-9, 0.5, 4, 8.5, 13.1, 30, 41, 61, 70, 90)
    figures = values(neighbours.precision_recall(drawn, REAL, k=1))
    assert figures["precision"] == pytest.approx(0.7)
    # Balls: -9 +- 9.5, .5 +- 3.5, 4 +- 3.5, 8.5 +- 4.5, 13.1 +- 4.6, 30 +- 11, 41 +- 11, 61 +- 9,
    # 70 +- 9, 90 +- 20: 18 lies in none (13.1 reaches 17.7, 30 begins at 19).
    assert figures["recall"] == pytest.approx(0.9)


def test_density_and_coverage_by_hand():
    # k = 1. 1.5 lies within 1 of 1 and within 2 of 3; 100 lies nowhere, the others copy it.
    drawn = on_line(1.5, *[100] * 9)
    figures = values(neighbours.density_coverage(drawn, REAL, k=1))
    assert figures["density"] == pytest.approx(2 / 10)
    assert figures["coverage"] == pytest.approx(2 / 10)


def test_figures_are_those_of_the_prdc_package(pair, monkeypatch):
    # prdc 0.2 (Naeem et al., 2020), compute_prdc(real, drawn, nearest_k).
    drawn, real = pair
    for rows in (500, 7):
        monkeypatch.setattr(neighbours, "ROWS", rows)
        assert values(neighbours.precision_recall(drawn, real, 3)) == pytest.approx(
            {"precision": 0.8625, "recall": 0.5833333333333334}
        )
        assert values(neighbours.density_coverage(drawn, real, 5)) == pytest.approx(
            {"density": 1.245, "coverage": 0.9333333333333333}
        )


def test_a_set_covers_itself(rng):
    same = rng.standard_normal((30, 5)).astype(np.float32)
    assert values(neighbours.precision_recall(same, same)) == {"precision": 1.0, "recall": 1.0}
    assert values(neighbours.density_coverage(same, same))["coverage"] == 1.0


def test_nearest_are_those_of_a_plain_search(rng):
    features, others = rng.standard_normal((4, 3)), rng.standard_normal((9, 3))
    rows, distances = neighbours.nearest(features, others, 2)
    plain = np.linalg.norm(features[:, None] - others[None], axis=2)
    np.testing.assert_array_equal(rows, np.argsort(plain, axis=1)[:, :2])
    np.testing.assert_allclose(distances, np.sort(plain, axis=1)[:, :2], rtol=1e-5)


def test_too_few_for_neighbours_are_refused():
    with pytest.raises(UserError, match="of 3 need more than 3 pictures, not 3"):
        neighbours.radii(REAL[:3], 3)
