"""The base of the two trained models: their state, and running means of a step's figures."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from t2i_tf.training.machinery import replicas
from t2i_tf.training.machinery.keras_internals import BuiltModel


class Trainer(BuiltModel):
    """A model with its own `train_step`, trained by `fit` under any strategy.

    Create it, build its networks and call `compile` inside the strategy's scope.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.averages = {}

    def track(self, *names: str) -> None:
        """Keeps a mean over the steps of an interval for each name."""
        self.averages = {name: keras.metrics.Mean(name=name) for name in names}

    @property
    def metrics(self):
        return list(self.averages.values())

    def log(self, figures: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Adds one step's figures to the running means; returns the means by name."""
        for name, value in figures.items():
            self.averages[name].update_state(value)
        means = {name: self.averages[name].result() for name in figures}
        if replicas.worker()[1] > 1:  # `fit` concatenates the workers' logs, so no scalars.
            means = {name: tf.reshape(mean, [1]) for name, mean in means.items()}
        return means

    @property
    def parts(self) -> list[keras.Model | keras.optimizers.Optimizer]:
        """The networks and optimizers that training changes; a checkpoint holds their variables."""
        raise NotImplementedError

    @property
    def frozen(self) -> list[keras.Model]:
        """The networks that training leaves as they were given."""
        return []

    @property
    def image_sizes(self) -> Sequence[int]:
        """Sides of the real images that a step takes, smallest first; None for the data's own."""
        raise NotImplementedError

    @property
    def shown(self) -> Sequence[str]:
        """Names of the figures on the progress bar."""
        raise NotImplementedError

    def state_figures(self) -> dict[str, tf.Tensor]:
        """Figures of the state itself, after a step: learning rates and norms of weights."""
        raise NotImplementedError


def weight_norm(network: keras.Model) -> tf.Tensor:
    """The norm of all trainable weights together."""
    return tf.linalg.global_norm([variable.value for variable in network.trainable_variables])
