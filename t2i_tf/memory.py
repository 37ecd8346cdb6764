"""How a process that trains on CPU holds its memory."""

import ctypes
import platform

# glibc's numbers of the settings, malloc.h
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8


def keep_freed_memory():
    """Keeps freed memory for the next step; call it before TensorFlow's first operation.

    A step takes and frees gigabytes in large blocks. The C library gives each back to the system
    at once, which clears its pages when they are taken again: a tenth of a full-size step. Only
    glibc can be told otherwise; with any other library nothing changes.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    library = ctypes.CDLL(None)
    for setting, value in ((M_ARENA_MAX, 1), (M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1)):
        library.mallopt(setting, value)
