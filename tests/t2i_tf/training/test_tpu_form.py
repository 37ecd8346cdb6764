"""The step in the form in which a TPU would trace it: once for all replicas, compiled by XLA.

No TPU is here. One replica's place is a number that is only known while the step runs, two replicas
are pretended, and XLA compiles the whole step for the CPU: static shapes everywhere, no operation
that XLA lacks. What the replicas add up stays the replica's own, as CPUs compile no all-reduce.
"""

import numpy as np
import pytest
import tensorflow as tf

from t2i_tf.networks import batch_norm, build
from t2i_tf.training import trial
from t2i_tf.training.build import build_attngan
from t2i_tf.training.flags import preset
from t2i_tf.training.machinery import replicas


@pytest.fixture
def place(monkeypatch):
    """The project sees two replicas, and the place of its own in this variable."""
    place = tf.Variable(1)
    monkeypatch.setattr(replicas, "count", lambda: 2)
    monkeypatch.setattr(replicas, "position", lambda: tf.convert_to_tensor(place))
    monkeypatch.setattr(batch_norm, "_replicas", lambda: 2)
    monkeypatch.setattr(tf.distribute.ReplicaContext, "all_reduce", lambda self, op, value: value)
    return place


def model(config):
    encoders = build.text_encoder(config, 20), build.image_encoder(config, False)
    return build_attngan(config, encoders)


def test_xla_compiles_the_whole_step(place):
    config = preset("tiny").unlock()
    config.discriminator.norm = "batch"  # Synchronized, too.
    config.train.batch_size = 8
    network = model(config)
    rows = tf.nest.map_structure(tf.constant, trial.random_batch(config, 20))
    before = [variable.numpy() for variable in network.generator.trainable_variables]
    step = tf.function(network.train_step, jit_compile=True, autograph=False)
    figures = step(rows)
    for figure, value in figures.items():
        assert np.isfinite(value), figure
    after = network.generator.trainable_variables
    changed = [np.abs(a.numpy() - b).max() for a, b in zip(after, before, strict=True)]
    assert min(changed) > 0


def test_gather_and_own_rows_have_static_shapes(place):
    rows = tf.reshape(tf.range(6), [3, 2])

    @tf.function(jit_compile=True)
    def both(rows):
        gathered = replicas.gather(rows)
        own = replicas.own_rows(gathered)
        assert gathered.shape == (6, 2)
        assert own.shape == (3, 2)
        return gathered, own

    for own_place in (0, 1):
        place.assign(own_place)
        gathered, own = both(rows)
        expected = np.zeros([6, 2], "int32")
        expected[3 * own_place : 3 * own_place + 3] = rows
        np.testing.assert_array_equal(gathered, expected)
        np.testing.assert_array_equal(own, rows)
