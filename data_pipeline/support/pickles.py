"""Reads untrusted pickles without running anything that they ask for.

A pickle may name any function to be called while it is read. CUB's text-to-image metadata is
published as pickles of lists, dicts, strings and numbers, so nothing else is admitted:
`safe_load_pickle` builds those, turns NumPy scalars into Python numbers by itself (under the module
paths of old and new NumPy) and refuses every other name.
"""

import io
import os
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline.support.errors import UserError


def safe_load_pickle(path: str | os.PathLike, data: bytes | None = None) -> Any:
    """The value in a pickle of lists, tuples, dicts, str, bytes, numbers, bools and None.

    Byte strings of Python 2 are read as Latin-1 text; NumPy scalars become int, float or bool.

    Args:
        path: The file.
        data: The file's content, where `path` is only its name (in an archive, say).

    Raises:
        UserError: if the file is missing, damaged, or asks for anything else; the message names
            what it asked for.
    """
    try:
        with Path(path).open("rb") if data is None else io.BytesIO(data) as file:
            return _Unpickler(file, encoding="latin1").load()
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{path}: cannot read the pickle: {error.strerror}") from None
    except _Refused as refused:
        raise UserError(
            f"{path}: refused, for this pickle wants {refused}; a data file holds only lists, "
            "dicts, text and numbers, so do not open it with anything else"
        ) from None
    except Exception as error:  # A damaged stream can fail in any of its opcodes.
        raise UserError(f"{path}: damaged or not a pickle ({type(error).__name__})") from None


class _Refused(Exception):
    """The pickle names something that is not data."""


class _Stand:
    """A stand-in without attributes, so that a pickle's BUILD cannot change it."""

    __slots__ = ()


class _NewDtype(_Stand):
    """Stands for `numpy.dtype`."""

    __slots__ = ()

    def __call__(self, name, align=False, copy=False):
        return _Dtype(name)


class _Dtype(_Stand):
    """A NumPy number type as a pickle describes it: first its name, then its byte order."""

    __slots__ = ("_name", "_order")

    def __init__(self, name):
        if not isinstance(name, str) or not re.fullmatch("[biuf][1248]", name):
            raise _Refused(f"the NumPy type {name!r}")
        self._name = name
        self._order = "="

    def __setstate__(self, state):
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise ValueError(order)
        self._order = order

    def number(self, data):
        dtype = np.dtype(self._order + self._name)
        if len(data) != dtype.itemsize:
            raise ValueError(data)
        return np.frombuffer(data, dtype)[0].item()


class _Scalar(_Stand):
    """Stands for `numpy.core.multiarray.scalar`."""

    __slots__ = ()

    def __call__(self, dtype, data):
        if not isinstance(dtype, _Dtype):
            raise _Refused(f"a NumPy scalar of type {dtype!r}")
        # Python 2 wrote the bytes as a string.
        return dtype.number(data.encode("latin1") if isinstance(data, str) else data)


class _Encode(_Stand):
    """Stands for `_codecs.encode`, with which old protocols write bytes."""

    __slots__ = ()

    def __call__(self, text, encoding):
        if encoding != "latin1":
            raise ValueError(encoding)
        return text.encode("latin1")


_ADMITTED = {
    ("numpy", "dtype"): _NewDtype,
    ("numpy.core.multiarray", "scalar"): _Scalar,
    ("numpy._core.multiarray", "scalar"): _Scalar,
    ("_codecs", "encode"): _Encode,
}


class _Unpickler(pickle._Unpickler):
    """Python's unpickler: the one in C takes gigabytes for a damaged or hostile memo number."""

    def find_class(self, module, name):
        if (module, name) not in _ADMITTED:
            raise _Refused(f"{module}.{name}")
        return _ADMITTED[module, name]()

    def persistent_load(self, pid):
        raise _Refused(f"the persistent object {pid!r}")
