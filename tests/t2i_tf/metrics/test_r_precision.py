import numpy as np
import pytest

from t2i_tf.metrics import r_precision as metrics

# Four captions along the axes of a plane and pictures at known angles to them.
SENTENCES = np.array([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0], [0.0, -1.0]])


def at(*degrees):
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_recall_counts_pictures_that_are_as_similar_or_more():
    # Caption 0 finds its picture (at 10) first. Caption 1 (at 90) finds 100, then its own at 70.
    # Caption 2 (at 180) finds its own at 175. Caption 3 (at 270) finds 10 and 175, then its own.
    codes = at(10, 70, 175, 100)
    assert metrics.recall_at_k(codes, SENTENCES, 1) == 0.5
    assert metrics.recall_at_k(codes, SENTENCES, 2) == 0.75
    assert metrics.recall_at_k(codes, SENTENCES, 4) == 1.0


def test_recall_gives_ties_to_the_others():
    assert metrics.recall_at_k(at(0, 0, 180, 270), SENTENCES, 1) == 0.5


def test_r_precision_compares_with_other_classes_only():
    # The pictures at 10 and 80 are nearest to their own captions (0 and 90). 130 is nearer to 90
    # than to its own at 180, and 200 is nearer to 180 than to its own at 270.
    codes = at(10, 80, 130, 200)
    assert metrics.r_precision(codes, SENTENCES, [0, 1, 2, 3]) == 0.5
    assert metrics.r_precision(codes, SENTENCES, [0, 1, 1, 3]) == 0.75


def test_r_precision_does_not_depend_on_scale_and_needs_to_be_strictly_better():
    assert metrics.r_precision(7 * SENTENCES, SENTENCES, [0, 1, 2, 3]) == 1.0
    assert metrics.r_precision(at(45, 90, 180, 270), SENTENCES, [0, 1, 2, 3]) == 0.75


def test_r_precision_of_random_codes_is_near_chance(rng):
    codes, sentences = rng.standard_normal((2, 2000, 8))
    value = metrics.r_precision(codes, sentences, np.arange(2000) // 4, wrong=9)
    assert value == pytest.approx(0.1, abs=0.02)
    assert value == metrics.r_precision(codes, sentences, np.arange(2000) // 4, wrong=9)
    assert value != metrics.r_precision(codes, sentences, np.arange(2000) // 4, seed=1, wrong=9)


def test_r_precision_of_one_class_is_refused():
    with pytest.raises(ValueError, match="at least two classes"):
        metrics.r_precision(SENTENCES, SENTENCES, [5, 5, 5, 5])


def test_permuted_leaves_out_captions_of_one_colour():
    none = np.zeros((0, 2))
    wrong = [at(20), at(80, 100, 200), none, at(0, 0, 0, 0, 0)]
    result = metrics.permuted_r_precision(at(5, 95, 180, 300), SENTENCES, wrong)
    # Picture 0 at 5 is nearer to 0 than to 20; picture 1 at 95 is as near to 90 as to 100 and
    # no nearer; picture 3 at 300 is nearer to 270 than to 0.
    assert result["value"] == pytest.approx(2 / 3)
    assert result["captions"] == 3
    assert result["wrong_captions"] == 3.0
    assert result["chance"] == pytest.approx((1 / 2 + 1 / 4 + 1 / 6) / 3)


def test_permuted_of_captions_of_one_colour_only_is_nan():
    result = metrics.permuted_r_precision(SENTENCES, SENTENCES, [np.zeros((0, 2))] * 4)
    assert result["captions"] == 0 and np.isnan(result["value"])


def test_codes_do_not_depend_on_the_batches(small_model, rng, monkeypatch):
    pictures = rng.integers(0, 256, (5, 32, 32, 3), np.uint8)
    captions = ["a red bird", "blue wings", "green", "this small bird", "a red bird"]
    codes = metrics.picture_codes(small_model.image_encoder, pictures)
    sentences = metrics.sentence_codes(small_model, captions)
    assert codes.shape == sentences.shape == (5, 16)
    monkeypatch.setattr(metrics, "BATCH_SIZE", 2)
    again = metrics.picture_codes(small_model.image_encoder, pictures)
    np.testing.assert_allclose(codes, again, atol=1e-5)
    again = metrics.sentence_codes(small_model, captions)
    np.testing.assert_allclose(sentences, again, atol=1e-5)
    np.testing.assert_allclose(sentences[0], sentences[4], atol=1e-6)


def test_first_ranks_draws_from_all_other_classes_and_from_them_only():
    # Each caption is the mean of the others' classes' codes: whoever meets one of them loses.
    ids = np.array([2, 0, 2, 1, 0, 2])
    for row in range(len(ids)):
        codes = np.ones((6, 2))
        for other in np.flatnonzero(ids != ids[row]):
            sentences = np.tile([1.0, 0.5], (6, 1))
            sentences[other] = [1.0, 1.0]  # beats every caption but itself
            assert not metrics.first_ranks(codes, sentences, ids)[row]
        sentences = np.tile([1.0, 0.0], (6, 1))
        sentences[row] = [1.0, 0.5]
        sentences[ids == ids[row]] += [0.0, 0.3]  # its own class is never drawn
        assert metrics.first_ranks(codes, sentences, ids)[row]


def test_folds_by_hand(monkeypatch):
    first = np.repeat([True, False], [12, 8])  # parts of two: six right, four wrong
    monkeypatch.setattr(metrics, "first_ranks", lambda *arguments: first)
    figure = metrics.fold_r_precision(None, None, None)
    assert (figure.value, figure.std) == (pytest.approx(0.6), pytest.approx(np.sqrt(0.24)))
    assert figure.error == pytest.approx(np.sqrt(0.24) / 3)


def test_recall_in_parts_is_recall_at_once(rng, monkeypatch):
    codes, noise = rng.standard_normal((2, 25, 4))
    whole = [metrics.recall_at_k(codes, codes + noise, k) for k in (1, 5)]
    monkeypatch.setattr(metrics, "RECALL_ROWS", 7)
    assert [metrics.recall_at_k(codes, codes + noise, k) for k in (1, 5)] == whole
    assert 0 < whole[0] < whole[1] < 1
