"""Adam in one pass over the weights, and schedules of its learning rate."""

from typing import NamedTuple

import keras
import tensorflow as tf

from t2i_tf.training.machinery.keras_internals import ReducedGradientsOptimizer, adam_moments


class OfStep(NamedTuple):
    """What all variables share in one step of `FusedAdam`; scalars.

    Attributes:
        learning_rate: The step's.
        has_moments: Whether there was a step since the last restart.
        beta_1_power: beta_1 to the power of the steps since then, with this one.
        beta_2_power: Likewise.
    """

    learning_rate: tf.Tensor
    has_moments: tf.Tensor
    beta_1_power: tf.Tensor
    beta_2_power: tf.Tensor


@keras.saving.register_keras_serializable("t2i_tf")
class FusedAdam(ReducedGradientsOptimizer, keras.optimizers.Adam):
    """Adam as one TensorFlow operation; Keras' own takes ten operations, each over all weights.

    Under a strategy, every replica passes the same gradients, see `replicas.mean`.

    Args:
        learning_rate: A number, or a schedule.
        restart_every: Steps after which its moments and their bias correction start anew, as in a
            new optimizer; the learning rate's schedule goes on. None for never.
        **kwargs: See `keras.optimizers.Adam`.

    Raises:
        ValueError: `amsgrad` is asked for; the operation lacks it.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.001,
        restart_every: int | None = None,
        **kwargs,
    ):
        if kwargs.get("amsgrad"):
            raise ValueError("FusedAdam has no amsgrad: use keras.optimizers.Adam")
        super().__init__(learning_rate, **kwargs)
        self.restart_every = restart_every

    def of_step(self, learning_rate: tf.Tensor, dtype: str) -> OfStep:
        done = self.iterations.value
        if self.restart_every:
            done %= self.restart_every
        step = tf.cast(done + 1, dtype)
        powers = (tf.constant(beta, dtype) ** step for beta in (self.beta_1, self.beta_2))
        return OfStep(learning_rate, done > 0, *powers)

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, step: OfStep) -> None:
        dtype = variable.dtype
        first_moment, second_moment = adam_moments(self, variable)
        if self.restart_every:
            for moment in (first_moment, second_moment):
                moment.assign(tf.where(step.has_moments, moment.value, tf.zeros_like(moment.value)))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=first_moment.value.handle,
            v=second_moment.value.handle,
            beta1_power=tf.cast(step.beta_1_power, dtype),
            beta2_power=tf.cast(step.beta_2_power, dtype),
            lr=tf.cast(step.learning_rate, dtype),
            beta1=tf.constant(self.beta_1, dtype),
            beta2=tf.constant(self.beta_2, dtype),
            epsilon=tf.constant(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )

    def get_config(self):
        return {**super().get_config(), "restart_every": self.restart_every}


@keras.saving.register_keras_serializable("t2i_tf")
class FlooredSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Another schedule that never falls below `floor`."""

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, floor: float):
        self.schedule = schedule
        self.floor = floor

    def __call__(self, step):
        return keras.ops.maximum(self.schedule(step), self.floor)

    def get_config(self):
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "floor": self.floor,
        }

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["schedule"]), config["floor"])


@keras.saving.register_keras_serializable("t2i_tf")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Constant up to step `start`, then in a straight line to zero at step `end`."""

    def __init__(self, learning_rate: float, start: int, end: int):
        self.learning_rate = learning_rate
        self.start = start
        self.end = end

    def __call__(self, step):
        step = keras.ops.cast(step, keras.config.floatx())
        left = (self.end - step) / max(self.end - self.start, 1)
        return self.learning_rate * keras.ops.clip(left, 0.0, 1.0)

    def get_config(self):
        return {"learning_rate": self.learning_rate, "start": self.start, "end": self.end}
