"""All uses of Keras' private members, in one place.

They are checked against Keras 3.15.1, which requirements.txt pins. Before using another version,
read this file again and run its tests.
"""

from collections.abc import Iterable

import keras
import tensorflow as tf

CHECKED_VERSION = "3.15.1"


class BuiltModel(keras.Model):
    """A model whose networks are built before `fit`.

    Keras would trace a step to build them, which fails where several workers train together.
    """

    def _maybe_symbolic_build(self, *args, **kwargs):
        pass


class ReducedGradientsOptimizer(keras.optimizers.Optimizer):
    """An optimizer for gradients that are already means over the replicas.

    Keras' own optimizers would sum the replicas' gradients.
    """

    def of_step(self, learning_rate: tf.Tensor, dtype: str) -> object:
        """What `update_step` gets in place of the learning rate; computed once a step.

        Args:
            learning_rate: This step's.
            dtype: Type of the first variable.

        Returns:
            A nested structure of tensors.
        """
        return learning_rate

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        numbers = self.of_step(learning_rate, trainable_variables[0].dtype)
        super()._backend_update_step(grads, trainable_variables, numbers)


def adam_moments(optimizer: keras.optimizers.Adam, variable: keras.Variable) -> tuple:
    """Adam's first and second moment of a variable, as `keras.Variable`s."""
    index = optimizer._get_variable_index(variable)
    return optimizer._momentums[index], optimizer._velocities[index]


def all_layers(network: keras.layers.Layer) -> Iterable[keras.layers.Layer]:
    """All layers of a network, including layers inside layers."""
    return network._flatten_layers()
