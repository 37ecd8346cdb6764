import keras
import numpy as np
import pytest
import tensorflow as tf

from t2i_tf.training.machinery.optimizers import FlooredSchedule, FusedAdam, LinearDecay


def test_fused_adam_equals_keras(rng):
    start, gradients = rng.normal(size=(5, 4)), rng.normal(size=(3, 5, 4))
    ends = []
    for kind in (FusedAdam, keras.optimizers.Adam):
        weights = keras.Variable(start, dtype="float32")
        optimizer = kind(0.1, beta_1=0.5, epsilon=1e-8)
        optimizer.build([weights])
        for gradient in gradients:
            optimizer.apply([tf.constant(gradient, "float32")], [weights])
        ends.append([np.array(variable) for variable in (weights, *optimizer.variables)])
    for fused, parts in zip(*ends, strict=True):
        np.testing.assert_allclose(fused, parts, rtol=5e-5)  # both round beta_2


@pytest.mark.parametrize("restart_every", [None, 2])
def test_fused_adam_computes_each_power_once_for_all_weights(restart_every):
    weights = [keras.Variable(np.zeros(3), dtype="float32") for _ in range(4)]
    optimizer = FusedAdam(0.1, restart_every)
    optimizer.build(weights)
    step = tf.function(lambda: optimizer.apply([tf.ones(3)] * 4, weights))
    operations = [
        operation.type for operation in step.get_concrete_function().graph.get_operations()
    ]
    assert operations.count("ResourceApplyAdam") == 4
    assert operations.count("Pow") == 2


def test_fused_adam_takes_gradients_of_embeddings():
    weights = keras.Variable(np.ones((4, 2)), dtype="float32")
    optimizer = FusedAdam(0.1)
    optimizer.build([weights])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.gather(weights.value, [1, 3, 3]))
    optimizer.apply(tape.gradient(loss, [weights.value]), [weights])
    np.testing.assert_allclose(weights, [[1, 1], [0.9, 0.9], [1, 1], [0.9, 0.9]], rtol=1e-5)


def test_fused_adam_restarts_as_a_new_one(rng):
    """But for its schedule, which counts all steps."""
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    gradients = [tf.constant(gradient, "float32") for gradient in rng.normal(size=(5, 3))]
    weights = keras.Variable(np.zeros(3), dtype="float32")
    restarting = FusedAdam(schedule, restart_every=2, beta_1=0.5)
    restarting.build([weights])
    step = tf.function(lambda gradient: restarting.apply([gradient], [weights]))
    for gradient in gradients:
        step(gradient)
    expected = keras.Variable(np.zeros(3), dtype="float32")
    for i, gradient in enumerate(gradients):
        if i % 2 == 0:
            new = FusedAdam(0.1, beta_1=0.5)
            new.build([expected])
        new.learning_rate = 0.1 * 0.5**i
        new.apply([gradient], [expected])
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert FusedAdam.from_config(restarting.get_config()).restart_every == 2


def test_fused_adam_has_no_amsgrad():
    with pytest.raises(ValueError, match="no amsgrad"):
        FusedAdam(amsgrad=True)


def test_linear_decay_by_hand():
    schedule = LinearDecay(0.4, start=10, end=20)
    rates = [float(schedule(step)) for step in (0, 10, 15, 20, 30)]
    assert rates == pytest.approx([0.4, 0.4, 0.2, 0.0, 0.0])


def test_learning_rates_fall_no_further_than_their_floor():
    constant = LinearDecay(0.5, 100, 100)
    floored = FlooredSchedule(LinearDecay(0.5, 0, 10), 0.05)
    assert float(constant(50)) == pytest.approx(0.5)
    assert [float(floored(step)) for step in (0, 5, 10)] == pytest.approx([0.5, 0.25, 0.05])


def test_an_optimizer_survives_its_config():
    schedule = FlooredSchedule(LinearDecay(0.5, 0, 10), 0.05)
    again = FusedAdam.from_config(FusedAdam(schedule, beta_1=0.5).get_config())
    again.build([keras.Variable(np.ones(2))])
    for step, rate in ((0, 0.5), (5, 0.25), (20, 0.05)):
        again.iterations.assign(step)
        assert float(again.learning_rate) == pytest.approx(rate)
    assert again.beta_1 == 0.5
