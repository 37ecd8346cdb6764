"""Controls how a training process holds its memory."""

import ctypes
import platform
from collections.abc import Callable, Iterable, Iterator

import tensorflow as tf

# Numbers of glibc's settings, from malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> None:
    """Keeps freed memory for the next step; call it before TensorFlow's first operation.

    A step takes and frees gigabytes in large blocks. The C library returns each block to the system
    at once, and the system clears its pages when they are taken again; this takes a tenth of a
    full-size step. Only glibc has settings for this; with any other library, or with a GPU, nothing
    changes.
    """
    if platform.libc_ver()[0] != "glibc" or tf.config.list_physical_devices("GPU"):
        return
    library = ctypes.CDLL(None)
    for setting, value in ((M_ARENA_MAX, 1), (M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1)):
        library.mallopt(setting, value)


def in_turn(calls: Iterable[Callable[[], object]]) -> Iterator:
    """Yields each call's result; in a graph, a call begins only once the one before it is done.

    Calls that run at the same time would need the memory of all of them together.

    Args:
        calls: Functions that return nested structures of tensors.
    """
    done = []
    for call in calls:
        with tf.control_dependencies(done):
            result = call()
        done = tf.nest.flatten(result)
        yield result
