"""Files that are there whole or not at all."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def writing_whole(path: str | os.PathLike) -> Iterator[Path]:
    """Another path to write to; what is there becomes `path` if all goes well.

    A reader or a kill never sees half a file, and a failure leaves an older file as it is.

    Args:
        path: The file to write; its folder must exist.
    """
    path = Path(path)
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")  # Keras looks at the ending.
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes UTF-8 text, whole or not at all."""
    with writing_whole(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def check_room(folder: str | os.PathLike, size: int) -> None:
    """Looks for room before a library writes that does not survive a full disk, as HDF5.

    Raises:
        OSError: The disk has less than `size` bytes left.
    """
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
