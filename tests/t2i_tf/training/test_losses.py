import numpy as np
import pytest

from t2i_tf.training import losses


def softplus(x):
    return np.log1p(np.exp(x))


def test_discriminator_loss_of_undecided_logits():
    zeros = np.zeros(4, "float32")
    # Each cross-entropy is log 2: one positive half twice, three negative thirds.
    loss = losses.discriminator_loss(zeros, zeros, zeros, zeros, zeros[:3])
    assert float(loss) == pytest.approx(2 * np.log(2), rel=1e-6)


def test_discriminator_loss_by_hand():
    real, matched, fake, fake_matched, wrong, wronger = (
        np.array([value], "float32") for value in (1.0, 2.0, -1.0, 0.5, 0.25, -3.0)
    )
    expected = (softplus(-1.0) + softplus(-2.0)) / 2
    expected += (softplus(-1.0) + softplus(0.5) + (softplus(0.25) + softplus(-3.0)) / 2) / 3
    logits = real, matched, fake, fake_matched, np.concatenate([wrong, wronger])
    assert float(losses.discriminator_loss(*logits)) == pytest.approx(expected, rel=1e-6)
    loss = losses.discriminator_loss(*logits, np.array([0.5, 0.5], "float32"))
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_mismatched_logits_count_by_their_weights():
    zero, wrong = np.zeros(1, "float32"), np.array([0.25, -3.0], "float32")
    weighted = losses.discriminator_loss(
        None, zero, None, zero, wrong, np.array([0.75, 0.125], "float32")
    )
    expected = np.log(2) + (np.log(2) + 0.75 * softplus(0.25) + 0.125 * softplus(-3.0)) / 2
    assert float(weighted) == pytest.approx(expected, rel=1e-6)


def test_losses_stay_finite_for_extreme_logits():
    extreme = np.array([1e4, -1e4], "float32")
    assert np.isfinite(losses.discriminator_loss(extreme, extreme, extreme, extreme, extreme))
    assert np.isfinite(losses.generator_loss(extreme, extreme))


def test_generator_loss_by_hand():
    loss = losses.generator_loss(np.array([0.0, 2.0], "float32"), np.array([1.0, 1.0], "float32"))
    expected = (np.log(2) + softplus(-2.0)) / 2 + softplus(-1.0)
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_kl_loss_by_hand():
    assert float(losses.kl_loss(np.zeros((2, 3), "f"), np.zeros((2, 3), "f"))) == 0.0
    loss = losses.kl_loss(np.full((2, 3), 2.0, "f"), np.full((2, 3), np.log(3.0), "f"))
    assert float(loss) == pytest.approx(-0.5 * (1 + np.log(3) - 4 - 3), rel=1e-6)


def test_matching_aware_penalty_by_hand():
    images = np.zeros((2, 2, 2, 3), "float32")
    images[0, 0, 0] = [1.0, 2.0, 2.0]
    sentences = np.array([[0.0, 1.0], [0.0, 0.0]], "float32")
    penalty = losses.matching_aware_penalty(images, sentences, power=2)
    assert float(penalty) == pytest.approx((3 + 1) ** 2 / 2, rel=1e-4)


def test_diversity_by_hand():
    images = np.zeros((3, 2, 2, 3), "float32")
    twins = images + np.array([0.1, 0.4, 0.0], "float32")[:, None, None, None]
    noise = np.zeros((3, 4), "float32")
    value = losses.diversity(images, twins, noise, noise + 2.0, limit=0.15)
    assert float(value) == pytest.approx((0.05 + 0.15 + 0.0) / 3, rel=1e-5)


def test_sentence_scores_are_cosines():
    codes = np.array([[3.0, 4.0], [0.0, 2.0]], "float32")
    sentences = np.array([[1.0, 0.0], [0.0, 5.0], [-6.0, -8.0]], "float32")
    expected = [[0.6, 0.8, -1.0], [0.0, 1.0, -0.8]]
    np.testing.assert_allclose(losses.sentence_scores(sentences, codes), expected, atol=1e-6)


def test_word_scores_of_one_word_and_one_region():
    # With one region the context is that region; with one word R is gamma2 times the cosine.
    words = np.array([[[1.0, 0.0], [9.0, 9.0]]], "float32")
    regions = np.array([[[3.0, 4.0]]], "float32")
    mask = np.array([[True, False]])
    scores = losses.word_scores(words, regions, mask, 4.0, 5.0)
    np.testing.assert_allclose(scores, [[5.0 * 0.6]], rtol=1e-6)


def test_word_scores_by_hand_with_two_words_and_regions():
    words = np.array([[[1.0, 0.0], [0.0, 1.0]]], "float32")
    regions = np.array([[[1.0, 0.0], [0.0, 1.0]]], "float32")
    gamma1, gamma2 = 4.0, 5.0
    near = np.e / (np.e + 1)  # softmax over the two words of a region
    weight = 1 / (1 + np.exp(gamma1 * (1 - 2 * near)))  # then over the regions of a word
    cosine = weight / np.hypot(weight, 1 - weight)
    expected = np.log(2 * np.exp(gamma2 * cosine))
    scores = losses.word_scores(words, regions, np.ones((1, 2), bool), gamma1, gamma2)
    np.testing.assert_allclose(scores, [[expected]], rtol=1e-5)


def test_padding_and_other_captions_change_no_word_score(rng):
    words = rng.normal(size=(3, 5, 4)).astype("float32")
    regions = rng.normal(size=(2, 6, 4)).astype("float32")
    mask = np.arange(5)[None] < np.array([[5], [3], [2]])
    scores = np.array(losses.word_scores(words, regions, mask, 4.0, 5.0))
    garbage = np.where(mask[:, :, None], words, 1e3)
    again = losses.word_scores(garbage, regions, mask, 4.0, 5.0)
    np.testing.assert_allclose(again, scores, rtol=1e-4)
    alone = losses.word_scores(words[1:2, :3], regions[:1], mask[1:2, :3], 4.0, 5.0)
    np.testing.assert_allclose(alone, scores[:1, 1:2], rtol=1e-5)


def test_matching_loss_by_hand():
    scores = np.array([[2.0, 0.0], [1.0, 3.0]], "float32")
    to_text, to_image = losses.matching_loss(scores, np.array([0, 1]))
    assert float(to_text) == pytest.approx((softplus(-2.0) + softplus(-2.0)) / 2, rel=1e-6)
    assert float(to_image) == pytest.approx((softplus(-1.0) + softplus(-3.0)) / 2, rel=1e-6)


def test_pairs_of_one_class_are_no_mismatches():
    scores = np.array([[1.0, 50.0, 0.0], [50.0, 1.0, 0.0], [0.0, 0.0, 1.0]], "float32")
    to_text, to_image = losses.matching_loss(scores, np.array([7, 7, 8]))
    expected = (2 * softplus(-1.0) + np.log(2 + np.e) - 1) / 3
    assert float(to_text) == pytest.approx(expected, rel=1e-5)
    assert float(to_image) == pytest.approx(expected, rel=1e-5)


def test_additional_wrong_captions_count_from_image_to_text_only():
    scores = np.array([[2.0, 0.0, 1.0, 9.0], [1.0, 3.0, 0.0, 9.0]], "float32")
    ids = np.array([0, 1])
    to_text, to_image = losses.matching_loss(scores, ids, np.array([False, True]))
    rows = np.log(np.exp([2.0, 0.0, 1.0]).sum()) - 2 + np.log(np.exp([1.0, 3.0, 0.0]).sum()) - 3
    assert float(to_text) == pytest.approx(rows / 2, rel=1e-5)
    assert float(to_image) == float(losses.matching_loss(scores[:, :2], ids)[1])


def test_without_unconditional_logits_the_discriminators_loss_is_the_dcgans(rng):
    matched, fake, wrong = (rng.normal(size=4).astype("float32") for _ in range(3))
    terms = [float(np.mean(softplus(x))) for x in (-matched, fake, wrong)]
    loss = losses.discriminator_loss(None, matched, None, fake, wrong)
    assert float(loss) == pytest.approx(terms[0] + (terms[1] + terms[2]) / 2, rel=1e-5)
    assert float(losses.generator_loss(-matched)) == pytest.approx(
        float(np.mean(softplus(matched))), rel=1e-5
    )


def test_damsm_losses_are_those_of_its_scores(rng):
    words, sentences = rng.normal(size=(4, 3, 5)), rng.normal(size=(4, 5))
    regions, codes = rng.normal(size=(2, 2, 3, 5)), rng.normal(size=(2, 5))
    words, sentences, regions, codes = (
        x.astype("float32") for x in (words, sentences, regions, codes)
    )
    mask = np.arange(3)[None] < np.array([[3], [2], [1], [3]])
    scores = losses.damsm_scores(words, sentences, mask, regions, codes, (4.0, 5.0, 10.0))
    flat = regions.reshape(2, 6, 5)
    expected = 10.0 * np.array(losses.word_scores(words, flat, mask, 4.0, 5.0))
    np.testing.assert_allclose(scores.by_words, expected, rtol=1e-5)
    expected = 10.0 * np.array(losses.sentence_scores(sentences, codes))
    np.testing.assert_allclose(scores.by_sentences, expected, rtol=1e-5)
    ids, unchanged = np.array([0, 1]), np.array([False, True])
    found = losses.damsm_losses(scores, ids, unchanged)
    for name, matrix in (("word", scores.by_words), ("sentence", scores.by_sentences)):
        to_text, to_image = losses.matching_loss(matrix, ids, unchanged)
        assert float(found[f"{name}_image_to_text"]) == float(to_text)
        assert float(found[f"{name}_text_to_image"]) == float(to_image)
    assert len(found) == 4
