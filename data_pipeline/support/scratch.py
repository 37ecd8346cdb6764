"""Folders that are written under another name until they are complete."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from data_pipeline.support.errors import UserError


@contextlib.contextmanager
def scratch(target: Path, purpose: str) -> Iterator[Path]:
    """An empty folder beside `target` for this process alone; removed at the end.

    What a killed process left in its place is removed first.

    Args:
        target: What is to be written.
        purpose: Part of the folder's name, which begins with a dot.

    Raises:
        UserError: if the folder cannot be made, or another process uses it.
    """
    place = target.with_name(f".{target.name}.{purpose}")
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write beside {target}: {error.strerror}") from None
    with locked(place, target):
        folder = place / target.name
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def appearing(target: Path, replace: bool = False) -> Iterator[Path]:
    """A `scratch` folder that becomes `target`, which may be an empty folder, if all goes well.

    Args:
        target: The folder to write.
        replace: Whether a full folder in its place gives way, once the new one is complete.
    """
    with scratch(target, "partial") as folder:
        replaced = folder.with_name(f"{target.name}.replaced")
        _put_back(replaced, target)  # A process was killed between the two renames below.
        yield folder
        try:
            if replace and target.exists():
                shutil.rmtree(replaced, ignore_errors=True)
                os.replace(target, replaced)
            os.replace(folder, target)
        finally:
            _put_back(replaced, target)


def _put_back(replaced, target):
    if replaced.exists() and not target.exists():
        os.replace(replaced, target)


@contextlib.contextmanager
def locked(folder: Path, target: Path) -> Iterator[None]:
    """Keeps a folder for this process; that ends with the process, however that ends.

    Args:
        folder: What is kept.
        target: What is written by it, for the message.

    Raises:
        UserError: Another process keeps it, or it cannot be opened.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UserError(
            f"another process is writing {target}; wait for it, or name another folder"
        ) from None
    except OSError:  # A file system without locks.
        pass
    try:
        yield
    finally:
        os.close(descriptor)
