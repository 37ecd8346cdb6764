"""What the two trained models share: running means of what a step logs, and their strategy."""

import keras
import tensorflow as tf

from t2i_tf import replicas


class Trainer(keras.Model):
    """A model with its own `train_step`, trained by `fit` under any strategy.

    It is created, its networks are built, and `compile` is called within the strategy's scope.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.averages = {}

    def track(self, *names):
        """Keeps a mean over the steps of an epoch for each name."""
        self.averages = {name: keras.metrics.Mean(name=name) for name in names}

    @property
    def metrics(self):
        return list(self.averages.values())

    def log(self, values):
        """Adds one step's values to the running means; returns the means by name."""
        for name, value in values.items():
            self.averages[name].update_state(value)
        means = {name: self.averages[name].result() for name in values}
        if replicas.worker()[1] > 1:  # `fit` concatenates the replicas' logs, which scalars resist.
            means = {name: tf.reshape(mean, [1]) for name, mean in means.items()}
        return means

    def _maybe_symbolic_build(self, *args, **kwargs):
        """Nothing is left to build; Keras' own attempt fails under several workers."""

    def facts(self):
        """What there is to log of the state itself: learning rates and norms of weights."""
        raise NotImplementedError


class NetworkFacts(keras.callbacks.Callback):
    """Adds `Trainer.facts` to what is logged at the end of an epoch."""

    def on_epoch_end(self, epoch, logs=None):
        logs.update(self.model.facts())


def weight_norm(network):
    """The norm of all trainable weights together."""
    return tf.linalg.global_norm([variable.value for variable in network.trainable_variables])
