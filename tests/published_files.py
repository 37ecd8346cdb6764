"""Writes the fixtures' weights as the .pth files that PyTorch of any age wrote."""

import io
import pickle
import pickletools
import struct
from collections import OrderedDict

import pytest

from tests.parity.fixture import load

torch = pytest.importorskip("torch")

WORDS = [
    "<end>",
    *(f"word{i}" for i in range(1, 60)),
]  # as many as the fixtures' text encoders know


def state_dict(name):
    """The weights of a fixture, as tensors by key."""
    return OrderedDict((k, torch.from_numpy(v)) for k, v in load(name).group("w/").items())


def save(value, path, container="zip"):
    """Saves as PyTorch does today (`"zip"`) or did before 1.6 (`"old"`); returns the path."""
    torch.save(value, path, _use_new_zipfile_serialization=container == "zip")
    return path


def save_captions(path, words=WORDS):
    """Saves a captions.pickle as Python 2 wrote it; returns the path."""
    index = dict(enumerate(words))
    content = [[[1, 2]], [[3]], index, {word: number for number, word in index.items()}]
    path.write_bytes(_python_2(pickle.dumps(content, protocol=2)))
    return path


def save_as_python_2(state, path):
    """Saves a state dict as PyTorch 0.3 under Python 2.7 did, from a GPU; returns the path."""
    stream = io.BytesIO()
    _OldPickler(stream).dump(state)
    parts = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}]
    pickles = [*(pickle.dumps(part, protocol=2) for part in parts), stream.getvalue()]
    pickles.append(pickle.dumps(list(state), protocol=2))
    storages = [
        struct.pack("<q", tensor.numel()) + tensor.contiguous().numpy().tobytes()
        for tensor in state.values()
    ]
    path.write_bytes(b"".join([*map(_python_2, pickles), *storages]))
    return path


class _Storage:
    def __init__(self, key, numel):
        self.id = ("storage", torch.FloatStorage, key, "cuda:0", numel, None)


class _OldPickler(pickle.Pickler):
    def __init__(self, stream):
        super().__init__(stream, protocol=2)

    def persistent_id(self, value):
        return value.id if isinstance(value, _Storage) else None

    def reducer_override(self, value):
        if not isinstance(value, OrderedDict):
            return NotImplemented
        items = [[key, _Tensor(key, tensor)] for key, tensor in value.items()]
        return OrderedDict, (items,)


class _Tensor:
    def __init__(self, key, tensor):
        self.arguments = _Storage(key, tensor.numel()), 0, tuple(tensor.shape), tensor.stride()

    def __reduce__(self):
        return torch._utils._rebuild_tensor, self.arguments


def _python_2(data):
    """The same pickle with the byte strings that Python 2 wrote for text."""
    ops = [*pickletools.genops(data), (None, None, len(data))]
    parts = []
    for (op, value, start), (_, _, end) in zip(ops, ops[1:], strict=False):
        if op.name == "BINUNICODE":
            parts.append(pickle.SHORT_BINSTRING + bytes([len(value)]) + value.encode("latin1"))
        else:
            parts.append(data[start:end])
    return b"".join(parts)
