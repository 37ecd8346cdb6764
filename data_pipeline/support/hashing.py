"""Hashes that tell files apart."""

import hashlib
from pathlib import Path


def file_sha256(*paths: str | Path) -> str:
    """The hexadecimal SHA-256 of the concatenated contents of files."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
