import numpy as np
import pytest

from t2i_tf.metrics.figures.fid import FeatureStatistics, fid, fid_figure, frechet_distance


def statistics(*batches):
    result = FeatureStatistics(batches[0].shape[1])
    for batch in batches:
        result.update(batch)
    return result


def direct_distance(a, b):
    """The formula as published, its square root by the eigenvalues of the plain product."""
    covariances = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    eigenvalues = np.linalg.eigvals(covariances[0] @ covariances[1])
    difference = a.mean(axis=0) - b.mean(axis=0)
    traces = sum(map(np.trace, covariances))
    return difference @ difference + traces - 2 * np.sqrt(eigenvalues.astype(complex)).sum().real


def test_distance_of_gaussians_by_hand():
    # In one dimension (m1 - m2)^2 + (s1 - s2)^2; along axes the dimensions add up.
    assert frechet_distance([1.0], [[4.0]], [4.0], [[25.0]]) == pytest.approx(9 + 9)
    distance = frechet_distance([0, 1], np.diag([1.0, 9.0]), [0, 3], np.diag([16.0, 4.0]))
    assert distance == pytest.approx(4 + 9 + 1)


def test_distance_does_not_depend_on_the_axes(rng):
    axes, _ = np.linalg.qr(rng.standard_normal((2, 2)))
    one, other = (axes @ np.diag(d) @ axes.T for d in ([1.0, 9.0], [16.0, 4.0]))
    assert frechet_distance([0, 0], one, [0, 0], other) == pytest.approx(9 + 1)


def test_distance_is_that_of_the_published_formula(rng):
    mix = rng.standard_normal((2, 12, 12))
    a, b = rng.standard_normal((200, 12)) @ mix[0], rng.standard_normal((150, 12)) @ mix[1] + 0.5
    expected = direct_distance(a, b)
    assert fid(statistics(a), statistics(b)) == pytest.approx(expected, rel=1e-9)
    assert fid(statistics(b), statistics(a)) == pytest.approx(expected, rel=1e-9)


def test_fewer_pictures_than_features_are_no_obstacle(rng):
    a, b = rng.standard_normal((2, 5, 30))  # covariances of rank 4
    assert fid(statistics(a), statistics(b)) == pytest.approx(direct_distance(a, b), abs=1e-5)
    assert fid(statistics(a), statistics(a)) == pytest.approx(0.0, abs=1e-5)


def test_batches_add_up_to_mean_and_covariance_far_from_zero(rng):
    features = 1e4 + rng.standard_normal((50, 3)) * [1.0, 2.0, 3.0]
    in_parts = statistics(features[:1], features[1:1], features[1:30], features[30:])
    np.testing.assert_allclose(in_parts.mean, features.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(in_parts.covariance, np.cov(features, rowvar=False), rtol=1e-9)
    assert in_parts.count == 50


def test_one_picture_has_no_covariance():
    with pytest.raises(ValueError, match="at least two pictures, got 1"):
        _ = statistics(np.ones((1, 2))).covariance


def test_statistics_without_a_part_are_those_of_the_rest(rng):
    features = 100 + rng.standard_normal((30, 3))
    rest = FeatureStatistics.of(features).without(FeatureStatistics.of(features[10:15]))
    expected = np.delete(features, np.s_[10:15], axis=0)
    assert rest.count == 25
    np.testing.assert_allclose(rest.mean, expected.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(rest.covariance, np.cov(expected, rowvar=False), rtol=1e-9)


def test_interval_comes_from_leaving_out_tenths(rng):
    drawn, real = rng.standard_normal((60, 4)), rng.standard_normal((40, 4)) + 1
    figure = fid_figure(drawn, real)
    assert figure.value == pytest.approx(direct_distance(real, drawn), rel=1e-9)
    expected = direct_distance(real, np.delete(drawn, np.s_[6:12], axis=0))
    assert figure.without[1] == pytest.approx(expected, rel=1e-9)


def test_distance_of_samples_nears_that_of_their_gaussians(rng):
    one = rng.standard_normal((20000, 2)) * [1.0, 3.0]
    other = rng.standard_normal((20000, 2)) * [4.0, 2.0] + [0.0, 2.0]
    figure = fid_figure(one, other)
    assert abs(figure.value - (4 + 9 + 1)) < 4 * figure.error + 0.2  # The real sample has noise too
    assert 0.01 < figure.error < 0.5
