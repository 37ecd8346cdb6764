import numpy as np
import pytest
import tensorflow as tf

from t2i_tf.training.diffaugment import DRAWS, POLICIES, diffaugment

ALL = tuple(POLICIES)


@pytest.fixture
def images(rng):
    return tf.constant(rng.uniform(-1, 1, (3, 16, 16, 3)).astype("float32"))


def draws(**places):
    """The same random numbers for three images: 0.5 (no change) but at the given places."""
    values = np.full((3, DRAWS), 0.5, "float32")
    for place, value in places.items():
        values[:, int(place[1:])] = value
    return values


def test_undecided_draws_leave_colours_and_places(images):
    np.testing.assert_allclose(
        diffaugment(images, draws(), ("color", "translation")), images, atol=1e-6
    )
    assert diffaugment(images, draws(), ()) is images


def test_colour_changes_by_hand(images):
    brighter = diffaugment(images, draws(_0=0.9), ("color",))
    np.testing.assert_allclose(brighter, images + 0.4, atol=1e-5)
    grey = diffaugment(images, draws(_1=0.0), ("color",))
    np.testing.assert_allclose(grey, np.repeat(np.mean(images, 3, keepdims=True), 3, 3), atol=1e-5)
    flatter = diffaugment(images, draws(_2=0.0), ("color",)).numpy()
    np.testing.assert_allclose(flatter.std((1, 2, 3)), images.numpy().std((1, 2, 3)) / 2, rtol=1e-4)


def test_translation_moves_up_to_an_eighth_and_fills_with_zeros(images):
    moved = diffaugment(images, draws(_3=0.0, _4=0.999), ("translation",)).numpy()
    np.testing.assert_array_equal(moved[:, 2:, :-2], images[:, :-2, 2:])
    assert not moved[:, :2].any()
    assert not moved[:, :, -2:].any()


def test_cutout_removes_a_square_of_half_the_side(images):
    cut = diffaugment(images, draws(), ("cutout",)).numpy()
    assert not cut[:, 4:12, 4:12].any()
    cut[:, 4:12, 4:12] = images[:, 4:12, 4:12]
    np.testing.assert_array_equal(cut, images)


def test_images_of_a_batch_are_changed_each_in_its_own_way_and_gradients_pass(rng, images):
    values = rng.uniform(size=(3, DRAWS)).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch(images)
        changed = diffaugment(images, values, ALL)
    alone = diffaugment(images[1:2], values[1:2], ALL)
    np.testing.assert_allclose(changed[1:2], alone, atol=1e-6)
    gradients = tape.gradient(changed, images).numpy()
    assert np.isfinite(gradients).all()
    assert all(np.abs(gradients[i]).max() > 0 for i in range(3))
