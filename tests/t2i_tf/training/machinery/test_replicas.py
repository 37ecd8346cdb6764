"""What one replica gets; several are in tests/test_distribution.py."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.support.errors import UserError
from t2i_tf.training.machinery import replicas


def test_one_replica_is_alone():
    assert (replicas.count(), replicas.position(), replicas.worker()) == (1, 0, (0, 1))
    assert replicas.is_first_worker()
    assert replicas.any_worker(True) is True and replicas.any_worker(False) is False
    assert replicas.first_workers(7) == 7
    rows = tf.constant([[1], [2]])
    assert replicas.gather(rows) is rows
    np.testing.assert_array_equal(replicas.own_rows(rows), rows)


def test_followers_are_the_next_rows_and_weigh_a_mean():
    rows = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    followers, weights = replicas.next_rows(rows)
    np.testing.assert_array_equal(followers, rows[1:])
    np.testing.assert_array_equal(weights, [0.5, 0.5])


def test_random_rows_are_a_function_of_seed_purpose_and_place():
    draw, index = tf.random.stateless_normal, tf.range(8, 11, dtype=tf.int64)
    rows = replicas.random_rows(draw, index, 5, 3, 0, 1)
    assert rows.shape == (3, 5)
    np.testing.assert_array_equal(replicas.random_rows(draw, index, 5, 3, 0, 1), rows)
    for other in (
        replicas.random_rows(draw, index, 5, 4, 0, 1),
        replicas.random_rows(draw, index, 5, 3, 0, 2),
        replicas.random_rows(draw, index, 5, 3, 1, 0),
        replicas.random_rows(draw, index + 3, 5, 3, 0, 1),
    ):
        assert np.all(other != rows)


def test_a_strategy_that_cannot_be_had_is_told_in_one_line(monkeypatch):
    def fail(**_):
        raise RuntimeError("Collective ops must be configured at program startup\nat ...")

    monkeypatch.setattr(replicas.tf.distribute, "MultiWorkerMirroredStrategy", fail)
    with pytest.raises(UserError, match="^no strategy 'multiworker': Collective ops .* startup$"):
        replicas.strategy("multiworker")
