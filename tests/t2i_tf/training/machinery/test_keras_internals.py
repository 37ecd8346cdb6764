"""What Keras keeps private is as it was when the code that uses it was written."""

import re

import keras
import numpy as np
import tensorflow as tf

from t2i_tf.training.machinery import keras_internals
from tests.commands import ROOT


def test_the_checked_version_is_the_installed_and_the_required_one():
    assert keras.__version__ == keras_internals.CHECKED_VERSION
    requirements = (ROOT / "requirements.txt").read_text()
    (pinned,) = re.findall(r"^keras==(.*)$", requirements, re.MULTILINE)
    assert pinned == keras_internals.CHECKED_VERSION


def test_nothing_else_uses_what_keras_keeps_private():
    """`keras.src` is private, and so are these names."""
    private = re.compile(
        r"keras\.src|_maybe_symbolic_build|_all_reduce_sum_gradients|_backend_update_step|_get_variable_index"
        r"|\._momentums|\._velocities|_flatten_layers"
    )
    own = ROOT / "t2i_tf" / "training" / "machinery" / "keras_internals.py"
    assert private.search(own.read_text())
    files = [p for d in ("t2i_tf", "data_pipeline", "export") for p in (ROOT / d).rglob("*.py")]
    assert len(files) > 50
    assert [p for p in files if p != own and private.search(p.read_text())] == []


def test_a_built_model_is_fitted_without_a_trace_to_build_it():
    traced = []

    class Model(keras_internals.BuiltModel):
        metrics = ()

        def train_step(self, batch):
            traced.append(batch)
            return {"loss": batch}

    model = Model()
    model.compile(optimizer=None)
    model.fit(tf.data.Dataset.range(3), verbose=0)
    assert len(traced) == 1  # fit's own


def test_reduced_gradients_are_not_reduced_again():
    class SGD(keras_internals.ReducedGradientsOptimizer, keras.optimizers.SGD):
        pass

    weights = keras.Variable(np.ones(2), dtype="float32")
    pairs = [(tf.ones(2), weights)]
    assert SGD()._all_reduce_sum_gradients(pairs) is pairs
    assert hasattr(keras.optimizers.SGD(), "_all_reduce_sum_gradients")


def test_what_all_variables_share_is_computed_once_a_step():
    calls = []

    class SGD(keras_internals.ReducedGradientsOptimizer, keras.optimizers.SGD):
        def of_step(self, learning_rate, dtype):
            calls.append(dtype)
            return {"doubled": 2.0 * learning_rate}

        def update_step(self, gradient, variable, learning_rate):
            variable.assign_sub(learning_rate["doubled"] * gradient)

    weights = [keras.Variable(np.zeros(2), dtype="float32") for _ in range(3)]
    SGD(0.5).apply([tf.ones(2)] * 3, weights)
    assert calls == ["float32"]
    for variable in weights:
        np.testing.assert_array_equal(variable, [-1.0, -1.0])


def test_moments_are_adams(rng):
    weights = [keras.Variable(rng.normal(size=3), dtype="float32") for _ in range(2)]
    gradients = [tf.constant(rng.normal(size=3), "float32") for _ in range(2)]
    optimizer = keras.optimizers.Adam(beta_1=0.5, beta_2=0.75)
    optimizer.build(weights)
    optimizer.apply(gradients, weights)
    for variable, gradient in zip(weights, gradients, strict=True):
        first, second = keras_internals.adam_moments(optimizer, variable)
        np.testing.assert_allclose(first, 0.5 * gradient, rtol=1e-6)
        np.testing.assert_allclose(second, 0.25 * gradient**2, rtol=1e-6)


def test_layers_within_layers_are_found():
    inner = keras.Sequential([keras.layers.Dense(2, name="deep")])
    network = keras.Sequential([inner, keras.layers.Dense(1, name="top")])
    network.build((None, 3))
    names = {layer.name for layer in keras_internals.all_layers(network)}
    assert {"deep", "top"} <= names
