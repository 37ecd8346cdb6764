"""Loads pickles that come from strangers without running anything they hold."""

import os
import pathlib
import pickle
import re
from typing import Any

import numpy as np

from data_pipeline.errors import UserError

_NUMBER_TYPE = re.compile(r"b1|[iu][1248]|f[248]")


def safe_load_pickle(path: str | os.PathLike) -> Any:
    """Loads a pickle of lists, tuples, dicts, strings and numbers, of Python 2 or 3.

    NumPy's scalars, under its old or new module path, become plain Python numbers.

    Raises:
        UserError: the file is missing, is not a whole pickle, or names anything else.
    """
    path = pathlib.Path(path)
    try:
        with path.open("rb") as file:
            return _Unpickler(file, encoding="latin1").load()
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except _Refused as error:
        raise UserError(
            f"{path} is refused, as it names {error}: only lists, dicts, strings and numbers"
            " are loaded"
        ) from None
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise UserError(f"{path} is not a whole pickle ({error}): fetch it again") from None


class _Refused(Exception):
    """The pickle names something that is not admitted; the message says what."""


class _DType:
    """Stands for numpy.dtype, of which only the types of plain numbers are understood."""

    def __init__(self, code: str, *_flags: int):
        if not (isinstance(code, str) and _NUMBER_TYPE.fullmatch(code)):
            raise _Refused(f"a NumPy scalar of type {code!r}")
        self.code = code
        self.order = "="

    def __setstate__(self, state: tuple) -> None:
        self.order = "=" if state[1] == "|" else state[1]


def _scalar(dtype: _DType, data: str | bytes) -> bool | int | float:
    if isinstance(data, str):
        data = data.encode("latin1")
    return np.frombuffer(data, np.dtype(dtype.code).newbyteorder(dtype.order))[0].item()


def _encode(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes into a pickle of protocol 2."""
    return text.encode({"latin1": "latin1", "latin-1": "latin1"}[encoding])


class _Unpickler(pickle.Unpickler):
    _ADMITTED = {
        ("numpy", "dtype"): _DType,
        ("numpy.core.multiarray", "scalar"): _scalar,
        ("numpy._core.multiarray", "scalar"): _scalar,
        ("_codecs", "encode"): _encode,
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._ADMITTED[module, name]
        except KeyError:
            raise _Refused(f"{module}.{name}") from None
