"""Folders that are written under another name until they are complete."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from data_pipeline.support.errors import StoppedError, UserError
from data_pipeline.support.files import writing_beside


@contextlib.contextmanager
def scratch(target: Path, purpose: str) -> Iterator[Path]:
    """Yields an empty folder beside `target` for this process alone; removes it at the end.

    A folder that a killed process left there is removed first.

    Args:
        target: The folder that is to be written.
        purpose: Part of the folder's name, which begins with a dot.

    Raises:
        UserError: if the folder cannot be made, or another process uses it.
        OSError: A file in the folder cannot be written; the error names `target`.
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
            with writing_beside(target, place):
                folder.mkdir()
                yield folder
        finally:
            shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def appearing(target: Path, replace: bool = False) -> Iterator[Path]:
    """Yields a `scratch` folder that becomes `target` if no error occurs.

    Args:
        target: The folder to write; it may exist as an empty folder.
        replace: Whether a full folder there is replaced, once the new one is complete.

    Raises:
        UserError: See `scratch`.
    """
    with scratch(target, "partial") as folder:
        replaced = folder.with_name(f"{target.name}.replaced")
        _put_back(replaced, target)  # In case a process was killed between the renames below.
        yield folder
        try:
            if replace and target.exists():
                shutil.rmtree(replaced, ignore_errors=True)
                os.replace(target, replaced)
            os.replace(folder, target)
        finally:
            _put_back(replaced, target)


@contextlib.contextmanager
def kept_if_stopped(folder: Path, worth: Callable[[Path], bool]) -> Iterator[None]:
    """Makes a folder and removes it at the end, unless something outside stopped the work.

    Args:
        folder: The folder; what it holds already stays for now.
        worth: Whether what the folder holds is worth keeping for the next run.
    """
    stopped = True
    try:
        folder.mkdir(exist_ok=True)
        yield
        stopped = False
    except UserError as error:
        stopped = isinstance(error, StoppedError)
        raise
    finally:
        if not stopped or not worth(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _put_back(replaced, target):
    if replaced.exists() and not target.exists():
        os.replace(replaced, target)


@contextlib.contextmanager
def locked(folder: Path, target: Path) -> Iterator[None]:
    """Locks a folder for this process; the lock ends with the process, even if it is killed.

    Args:
        folder: The folder to lock.
        target: What this process writes, for the message.

    Raises:
        UserError: Another process holds the lock, or the folder cannot be opened.
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
