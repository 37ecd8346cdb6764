"""Measures a machine's speed, as a reference for all other measurements."""

import time

import tensorflow as tf

# A 3x3 convolution of `[B, S, S, C]` to as many channels: too large for caches, with no idle lanes.
BATCH, SIDE, CHANNELS = 8, 64, 256


class LargeConvolution:
    """A large convolution, run on the process's device and with its threads.

    A rate taken right beside each measured run shows what the machine could do at that moment.

    Args:
        dtype: Type of the images, the kernel and the products.
    """

    def __init__(self, dtype: str = "float32"):
        images = tf.cast(tf.random.normal([BATCH, SIDE, SIDE, CHANNELS]), dtype)
        kernel = tf.cast(tf.random.normal([3, 3, CHANNELS, CHANNELS]), dtype)
        self.flops = 2 * 9 * BATCH * SIDE * SIDE * CHANNELS**2
        self._run = tf.function(lambda: tf.nn.conv2d(images, kernel, 1, "SAME")[0, 0, 0, 0])
        self._run().numpy()

    def rate(self) -> float:
        """Floating-point operations per second, timed now."""
        start = time.perf_counter()
        self._run().numpy()
        return self.flops / (time.perf_counter() - start)
