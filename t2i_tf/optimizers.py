"""Adam in one pass over the weights."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("t2i_tf")
class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam by TensorFlow's own operation, where Keras takes ten, each over all weights.

    Under a strategy every replica gives it the same gradients, see `replicas.mean`; Keras would add
    the replicas' gradients up.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars

    def update_step(self, gradient, variable, learning_rate):
        index, dtype = self._get_variable_index(variable), variable.dtype
        beta_1, beta_2, epsilon = (
            tf.constant(value, dtype) for value in (self.beta_1, self.beta_2, self.epsilon)
        )
        step = tf.cast(self.iterations + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=beta_1**step,
            beta2_power=beta_2**step,
            lr=tf.cast(learning_rate, dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=epsilon,
            grad=tf.cast(gradient, dtype),
        )
