"""Measures how fast this machine is at best, and how much memory a process has held."""

import resource
import time

import tensorflow as tf

# A 3x3 convolution of `[B, S, S, C]` to as many channels: too large for caches, no lane idle.
BATCH, SIDE, CHANNELS = 8, 64, 256


class LargeConvolution:
    """A large float32 convolution, whose rate everything else is compared with.

    It runs on the device and with the threads of the process, so that a rate taken next to each
    measured run tells how fast the machine was at that moment.
    """

    def __init__(self):
        images = tf.random.normal([BATCH, SIDE, SIDE, CHANNELS])
        kernel = tf.random.normal([3, 3, CHANNELS, CHANNELS])
        self.flops = 2 * 9 * BATCH * SIDE * SIDE * CHANNELS**2
        self._run = tf.function(lambda: tf.nn.conv2d(images, kernel, 1, "SAME")[0, 0, 0, 0])
        self._run().numpy()

    def rate(self) -> float:
        """Floating-point operations a second, timed now."""
        start = time.perf_counter()
        self._run().numpy()
        return self.flops / (time.perf_counter() - start)


def peak_memory_mb() -> float:
    """Measures the most MB that this process has held so far, or its GPU where it has one."""
    gpus = tf.config.list_logical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_memory_info(gpus[0].name)["peak"] / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
