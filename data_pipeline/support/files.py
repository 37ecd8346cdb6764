"""Writes files so that they exist whole or not at all."""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def writing_whole(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path to write to; it is renamed to `path` if no error occurs.

    No reader ever sees half a file, even after a kill, and a failure leaves an older file
    unchanged.

    Args:
        path: The file to write; its folder must exist.

    Raises:
        OSError: The file cannot be written; the error names it.
    """
    path = Path(path)
    # Machines may share the folder, and their numbers of processes are alike. Keras looks at the
    # ending.
    partial = path.with_name(f".partial-{secrets.token_hex(4)}-{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise _about(error, path) from error
    finally:
        with contextlib.suppress(OSError):  # A folder that may not be written, say.
            partial.unlink()


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes UTF-8 text, whole or not at all."""
    with writing_whole(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


@contextlib.contextmanager
def writing_beside(target: str | os.PathLike, folder: str | os.PathLike) -> Iterator[None]:
    """Names `target` in an OSError about a file in `folder`, where `target` is written at first."""
    try:
        yield
    except OSError as error:
        if error.filename and not Path(error.filename).is_relative_to(folder):
            raise
        raise _about(error, target) from error


def _about(error, path):
    reason = error.strerror or str(error).partition("\n")[0]
    return type(error)(error.errno or errno.EIO, reason, str(path))


def check_room(folder: str | os.PathLike, size: int) -> None:
    """Checks for free space before a library writes that cannot handle a full disk, such as HDF5.

    Raises:
        OSError: The disk has less than `size` bytes left.
    """
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
