"""Measures how much memory a process has held."""

import resource

import tensorflow as tf


def peak_memory_mb() -> float:
    """Measures the most MB that this process has held so far, or its GPU where it has one."""
    gpus = tf.config.list_logical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_memory_info(gpus[0].name)["peak"] / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
