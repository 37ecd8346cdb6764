"""Finds pictures that a data set holds twice, exactly or nearly."""

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from PIL import Image

_SIDE = 16
NEAR = 10  # Bits of the 256 in which the fingerprints of near duplicates differ at most.
_BAND = 2  # Bytes; of fingerprints that differ in fewer bits than there are bands, one is equal.
_CROWD = 200  # Pictures that share a band by chance, as even ones do, are not compared.


def fingerprint(picture: Image.Image) -> bytes:
    """A picture's difference hash: 256 bits, each whether a place is darker than the next.

    Rescaled, recompressed and slightly brightened copies differ in few bits (Krawetz, 2013).
    """
    small = picture.convert("L").resize((_SIDE + 1, _SIDE), Image.Resampling.BOX)
    levels = np.asarray(small, np.int16)
    return np.packbits(levels[:, 1:] > levels[:, :-1]).tobytes()


def exact(contents: Sequence[bytes]) -> list[list[int]]:
    """Groups of equal contents, each the places of two or more.

    Args:
        contents: Of each picture the SHA-256 of its file.
    """
    return _groups(contents)


def near(fingerprints: Sequence[bytes]) -> list[tuple[int, int, int]]:
    """Pairs of pictures whose fingerprints differ in at most `NEAR` bits.

    Args:
        fingerprints: Of each picture, see `fingerprint`.

    Returns:
        (place, place, bits) of each pair, the most alike first.
    """
    rows = np.frombuffer(b"".join(fingerprints), np.uint8).reshape(len(fingerprints), -1)
    found = {}
    for start in range(0, rows.shape[1], _BAND):
        bands = [row.tobytes() for row in rows[:, start : start + _BAND]]
        for group in _groups(bands):
            if len(group) > _CROWD:
                continue
            for one, other in itertools.combinations(group, 2):
                if (one, other) not in found:
                    different = np.bitwise_count(rows[one] ^ rows[other])
                    found[one, other] = int(different.sum())
    pairs = [(one, other, bits) for (one, other), bits in found.items() if bits <= NEAR]
    return sorted(pairs, key=lambda pair: (pair[2], pair))


def content_hash(data: bytes) -> bytes:
    """SHA-256 of a file."""
    return hashlib.sha256(data).digest()


def _groups(keys):
    places = defaultdict(list)
    for place, key in enumerate(keys):
        places[key].append(place)
    return [group for group in places.values() if len(group) > 1]
