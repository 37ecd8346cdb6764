"""What this machine does at best, and what a process has taken of it."""

import resource
import time

import tensorflow as tf

# A 3x3 convolution of `[B, S, S, C]` to as many channels: too large for caches, no lane idle.
BATCH, SIDE, CHANNELS = 8, 64, 256


class LargeConvolution:
    """A large float32 convolution, whose rate everything else is compared with.

    It runs on the device and with the threads of the process, so that one rate taken next to each
    measured run tells what the machine could have done at that moment.
    """

    def __init__(self):
        images = tf.random.normal([BATCH, SIDE, SIDE, CHANNELS])
        kernel = tf.random.normal([3, 3, CHANNELS, CHANNELS])
        self.flops = 2 * 9 * BATCH * SIDE * SIDE * CHANNELS**2
        self._run = tf.function(lambda: tf.nn.conv2d(images, kernel, 1, "SAME")[0, 0, 0, 0])
        self._run().numpy()

    def rate(self):
        """Floating-point operations a second, timed now."""
        start = time.perf_counter()
        self._run().numpy()
        return self.flops / (time.perf_counter() - start)


def peak_memory_mb():
    """The most memory in MB that this process has held so far, or its GPU where it has one."""
    gpus = tf.config.list_logical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_memory_info(gpus[0].name)["peak"] / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
