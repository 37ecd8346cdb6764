import numpy as np
import pytest

from t2i_tf.metrics.figures.inception_score import InceptionScore, inception_score


def published(probabilities, splits):
    """Salimans et al.'s own lines."""
    scores = []
    for i in range(splits):
        count = len(probabilities)
        part = probabilities[i * count // splits : (i + 1) * count // splits]
        kl = part * (np.log(part) - np.log(np.mean(part, axis=0, keepdims=True)))
        scores.append(np.exp(np.mean(np.sum(kl, axis=1))))
    return np.mean(scores), np.std(scores)


def test_sure_and_varied_pictures_score_the_number_of_classes():
    assert inception_score(np.tile(np.eye(4), (5, 1)), splits=5) == (pytest.approx(4.0), 0.0)


def test_unsure_or_equal_pictures_score_one():
    assert inception_score(np.full((10, 4), 0.25), 2) == (pytest.approx(1.0), 0.0)
    assert inception_score(np.eye(4)[[2] * 10], 2) == (pytest.approx(1.0), 0.0)


def test_splits_follow_each_other():
    # The first half has two sure classes, the second one only: 2 and 1.
    mean, std = inception_score(np.eye(3)[[0, 1, 0, 1, 2, 2, 2, 2]], splits=2)
    assert (mean, std) == (pytest.approx(1.5), pytest.approx(0.5))


@pytest.mark.parametrize("count, splits", [(40, 10), (37, 10), (23, 4), (5, 5)])
def test_score_is_the_published_one_in_any_batches(count, splits, rng):
    probabilities = rng.dirichlet(np.ones(6), count)
    expected = published(probabilities, splits)
    np.testing.assert_allclose(inception_score(probabilities, splits), expected, rtol=1e-12)
    score = InceptionScore(count, 6, splits)
    for batch in np.array_split(probabilities.astype(np.float32), 3):
        score.update(batch)
    score.update(np.eye(6))  # further pictures are ignored
    np.testing.assert_allclose(score.result(), expected, rtol=1e-6)


def test_too_few_pictures_are_refused():
    with pytest.raises(ValueError, match="10 splits need at least as many pictures, got 9"):
        InceptionScore(9, 3)
    score = InceptionScore(10, 3)
    score.update(np.full((4, 3), 1 / 3))
    with pytest.raises(ValueError, match="4 of 10"):
        score.result()
