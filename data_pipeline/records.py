"""Records of TFRecord files by number, read from the files as they are asked for.

A TFRecord file is a row of (length, checksum of the length, data, checksum of the data). Beside
each shard the builder writes where its records begin; without that file, the lengths tell.
"""

import functools
import hashlib
import mmap
import struct
from collections.abc import Sequence
from pathlib import Path

import google_crc32c
import numpy as np

from data_pipeline.support.errors import UserError
from data_pipeline.support.files import writing_whole

_BEFORE, _AFTER = 12, 4  # Bytes before and after a record's data.
_LENGTH = struct.Struct("<Q")
_SAMPLED = 1024
_OPEN = 256  # Files at a time, of the thousand or so that a process may open.


class Records:
    """The records of some shards, numbered through.

    The files are mapped into memory: the system keeps what is read often and drops it when memory
    runs short.

    Args:
        shards: The TFRecord files.

    Attributes:
        shards: The files.
        counts: Records of each.

    Raises:
        UserError: A file was cut short, or is no TFRecord file.
    """

    def __init__(self, shards: Sequence[Path]):
        begins = [_begins(path) for path in shards]
        self.shards = shards
        self.counts = [len(own) - 1 for own in begins]
        self._ends = np.cumsum(self.counts)
        self._begins = begins
        self._file = functools.lru_cache(_OPEN)(lambda shard: _mapped(shards[shard]))

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, number: int) -> bytes:
        """The data of record `number`, unparsed.

        Raises:
            UserError: The record is damaged.
        """
        shard, row = self._place(number)
        begin, end = self._begins[shard][row : row + 2].tolist()
        file = self._file(shard)
        data = file[begin + _BEFORE : end - _AFTER]
        if file[end - _AFTER : end] != _checksum(data):
            raise UserError(
                f"{self.shards[shard]}, record {row}: damaged, for its checksum differs; copy or "
                "build the data set again"
            )
        return data

    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of all records' places and of some records' checksums.

        It tells apart data sets of other pictures or captions, or in another order, without reading
        them: a file holds the places, and up to 1,024 checksums are looked up.
        """
        digest = hashlib.sha256()
        for begins in self._begins:
            digest.update(begins.tobytes())
        for number in np.linspace(0, len(self) - 1, min(len(self), _SAMPLED)).astype(int).tolist():
            shard, row = self._place(number)
            end = self._begins[shard][row + 1]
            digest.update(self._file(shard)[end - _AFTER : end])
        return digest.hexdigest()

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """The data of several records, an object array of bytes `[N]`."""
        data = np.empty(len(numbers), object)
        data[:] = [self[number] for number in numbers.tolist()]
        return data

    def _place(self, number):
        """A record's shard and its number there."""
        shard = int(np.searchsorted(self._ends, number, side="right"))
        return shard, int(number - (self._ends[shard] - len(self._begins[shard]) + 1))


def index_file(shard: Path) -> Path:
    """Where the places of a shard's records are kept: int64, each record's begin, then the end."""
    return shard.with_name(shard.name.replace(".tfrecord-", ".index-"))


def write_index(shard: Path) -> None:
    """Writes a complete shard's `index_file`."""
    with writing_whole(index_file(shard)) as partial:
        _scan(shard).astype("<i8").tofile(partial)


def _begins(shard):
    index, size = index_file(shard), shard.stat().st_size
    if not index.is_file():
        return _scan(shard)
    begins = np.fromfile(index, "<i8")
    if not len(begins) or begins[-1] != size:
        raise UserError(
            f"{shard} has {size:,} bytes, {begins[-1] if len(begins) else 0:,} by {index.name}: "
            "copy or build the data set again"
        )
    return begins


def _scan(shard):
    """Finds the records by their lengths."""
    size, begins = shard.stat().st_size, [0]
    with shard.open("rb") as file:
        while begins[-1] < size:
            file.seek(begins[-1])
            header = file.read(_BEFORE)
            length = _LENGTH.unpack_from(header)[0] if len(header) == _BEFORE else size
            begins.append(begins[-1] + _BEFORE + length + _AFTER)
    if begins[-1] != size or not size:
        number = max(len(begins) - 2, 0)
        raise UserError(
            f"{shard} is cut short or damaged in record {number}: copy or build the data set again"
        )
    return np.array(begins, np.int64)


def _checksum(data):
    """CRC32C of a record's data as TFRecord files hold it, masked."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _mapped(shard):
    with shard.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
