"""Files that are there whole or not at all."""

import errno
import os
import shutil
from pathlib import Path


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes UTF-8 text under another name and renames it: a reader or a kill never sees half."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    partial.write_text(text, encoding="utf-8", newline="\n")
    os.replace(partial, path)


def check_room(folder: str | os.PathLike, size: int) -> None:
    """Looks for room before a library writes that does not survive a full disk, as HDF5.

    Raises:
        OSError: The disk has less than `size` bytes left.
    """
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
