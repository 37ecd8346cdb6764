"""Folders and zip archives in which the files of a data set may lie; archives stay unopened.

A member of an archive is only ever read into memory under the name that a source asks for, so it
does not matter what the other members are called.
"""

import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from data_pipeline.sources.source import Report
from data_pipeline.support.errors import UserError

_INNER = ("text.zip", "text_c10.zip")
_MOST_BYTES = 1 << 28  # of one member: an archive may claim to hold any number.


class Folder:
    """A folder on disk.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path):
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def has(self, name: str) -> bool:
        """Whether there is a file or folder of this name."""
        return (self.root / name).exists()

    def path(self, name: str) -> Path:
        """The path of a file, for messages and for its kin."""
        return self.root / name

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            OSError: There is no such file, or it cannot be read.
        """
        return (self.root / name).read_bytes()

    def picture(self, folder: str, name: str, report: Report) -> Path | None:
        """The picture `name` of a folder, see `Report.file`."""
        return report.file(self.root / folder, name)

    def holds(self, folder: str, name: str, report: Report) -> bool:
        """Whether the file `name` of a folder lies in it, see `Report.holds`."""
        return report.holds(self.root / folder, name)


class Archive:
    """A folder in a zip archive.

    Args:
        file: The archive.
        label: What it is called in messages.
        prefix: The folder in it, "" or ending in "/".

    Raises:
        UserError: It is damaged, or no archive.
    """

    def __init__(self, file: BinaryIO | str, label: str, prefix: str = ""):
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise UserError(f"{label}: damaged or not a zip archive ({error})") from None
        self.prefix = prefix
        self._label = label
        self._names = set(self._zip.namelist())
        self._folders = {str(p) for name in self._names for p in PurePosixPath(name).parents}

    def __str__(self) -> str:
        return f"{self._label}:{self.prefix}" if self.prefix else self._label

    def has(self, name: str) -> bool:
        """Whether there is a file or folder of this name."""
        return self.prefix + name in self._names or self.prefix + name in self._folders

    def path(self, name: str) -> Path:
        """A path that names a member, for messages."""
        return Path(f"{self._label}:{self.prefix}{name}")

    def read(self, name: str) -> bytes:
        """The bytes of a member.

        Raises:
            FileNotFoundError: There is no such member.
            UserError: It is damaged, encrypted, or much too large.
        """
        try:
            info = self._zip.getinfo(self.prefix + name)
        except KeyError:
            raise FileNotFoundError(f"{self}{name}: no such member") from None
        if info.file_size > _MOST_BYTES:
            raise UserError(f"{self.path(name)}: {info.file_size:,} bytes; unpack it yourself")
        try:
            return self._zip.read(info)
        except Exception as error:  # A damaged member can fail in its decoder.
            raise UserError(f"{self.path(name)}: cannot be read ({error})") from None

    def picture(self, folder: str, name: str, report: Report) -> bytes | None:
        """The picture `name` of a folder; None after telling the report that there is none."""
        try:
            return self.read(f"{folder}/{name}")
        except FileNotFoundError:
            report.add("missing pictures", self.path(f"{folder}/{name}"), "not in the archive")
        return None

    def holds(self, folder: str, name: str, report: Report) -> bool:
        """True: a member is only read, so its name leads nowhere."""
        return True

    def inner(self) -> list["Archive"]:
        """This archive's folders, and the archives of captions in it with theirs."""
        found = self._folders_within()
        for name in sorted(self._names):
            if PurePosixPath(name).name in _INNER:
                data = io.BytesIO(self.read(name))
                found += Archive(data, str(self.path(name)))._folders_within()
        return found

    def _folders_within(self):
        tops = sorted(name for name in self._folders if name != "." and name.count("/") < 2)
        return [self, *(self._within(f"{name}/") for name in tops)]

    def _within(self, prefix):
        other = object.__new__(Archive)
        other.__dict__.update(self.__dict__, prefix=prefix)
        return other


Place = Folder | Archive


class Places:
    """Where to look for the files of a data set: folders, then the zip archives in them.

    Args:
        roots: The folders that the user names, most important first.
        inside: A folder that each of them may hold, where the files may lie as well.

    Raises:
        UserError: One of the folders does not exist.
    """

    def __init__(self, roots: Sequence[str | os.PathLike], inside: str):
        self._roots = [Path(root) for root in roots]
        for root in self._roots:
            if not root.is_dir():
                raise UserError(f"{root}: no such folder; it should hold {inside}/")
        self.folders = [Folder(place) for root in self._roots for place in (root / inside, root)]
        self._archives: list[Archive] | None = None

    def __str__(self) -> str:
        return ", ".join(map(str, self.folders))

    def find(self, *names: str, backwards: bool = False) -> tuple[Place, str] | None:
        """The first place that has one of some names, and the name.

        Args:
            *names: Paths of files or folders, most important first.
            backwards: Whether the folder that was named last is the most important.
        """
        for places in (self.folders, None):
            places = self._opened() if places is None else places
            for place in reversed(places) if backwards else places:
                for name in names:
                    if place.has(name):
                        return place, name
        return None

    def need(self, what: str, *names: str) -> tuple[Place, str]:
        """`find`, of something that must be there.

        Raises:
            UserError: It is nowhere.
        """
        found = self.find(*names)
        if found is None:
            packed = [str(path) for root in self._roots for path in sorted(root.glob("*.t*gz"))]
            hint = f"; unpack {packed[0]}" if packed else ""
            raise UserError(f"{what} ({' or '.join(names)}) are in none of {self}{hint}")
        return found

    def _opened(self):
        if self._archives is None:
            self._archives = []
            for root in self._roots:
                for path in sorted(root.glob("*.zip")):
                    archive = Archive(str(path), str(path))
                    self._archives += archive.inner()
        return self._archives
