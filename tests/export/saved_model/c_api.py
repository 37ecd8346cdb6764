"""Runs a SavedModel's signature `generate` through TensorFlow's C API, as a C++ server would.

    python c_api.py <TensorFlow's folder> <SavedModel> <text> <seed> <out> <names of 3 tensors>

The tensors are those of text, seed and image. Imports nothing of Python's TensorFlow; writes the
picture's bytes to <out> and prints its shape.
"""

import ctypes
import sys
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path

INT64, STRING = 9, 7  # TF_DataType
STRING_BYTES = 24  # sizeof(TF_TString)


class Output(ctypes.Structure):
    """TF_Output: one result of an operation."""

    _fields_ = [("operation", c_void_p), ("index", c_int)]


RESULTS = {
    "TF_Message": c_char_p,
    "TF_NewStatus": c_void_p,
    "TF_NewGraph": c_void_p,
    "TF_NewSessionOptions": c_void_p,
    "TF_LoadSessionFromSavedModel": c_void_p,
    "TF_GraphOperationByName": c_void_p,
    "TF_AllocateTensor": c_void_p,
    "TF_TensorData": c_void_p,
    "TF_TensorByteSize": c_size_t,
    "TF_Dim": c_int64,
}


class Library:
    """The wheel's libraries; calls whose last argument is a status raise what it says."""

    def __init__(self, folder):
        self.framework = ctypes.CDLL(folder / "libtensorflow_framework.so.2", ctypes.RTLD_GLOBAL)
        self.core = ctypes.CDLL(folder / "libtensorflow_cc.so.2", ctypes.RTLD_GLOBAL)
        self.status = c_void_p(self("TF_NewStatus"))

    def __call__(self, name, *arguments):
        library = self.core if hasattr(self.core, name) else self.framework
        function = getattr(library, name)
        function.restype = RESULTS.get(name, c_int)
        return function(*arguments)

    def checked(self, name, *arguments):
        result = self(name, *arguments, self.status)
        if self("TF_GetCode", self.status):
            raise SystemExit(f"{name}: {self('TF_Message', self.status).decode()}")
        return result


def tensor(tf, kind, size):
    """A vector of one element, and where it lies."""
    handle = c_void_p(tf("TF_AllocateTensor", kind, (c_int64 * 1)(1), 1, c_size_t(size)))
    return handle, c_void_p(tf("TF_TensorData", handle))


def main(folder, model, text, seed, out, *names):
    tf = Library(Path(folder))
    graph = c_void_p(tf("TF_NewGraph"))
    session = c_void_p(
        tf.checked(
            "TF_LoadSessionFromSavedModel",
            c_void_p(tf("TF_NewSessionOptions")),
            None,
            c_char_p(model.encode()),
            (c_char_p * 1)(b"serve"),
            1,
            graph,
            None,
        )
    )
    outputs = []
    for operation, index in (name.split(":") for name in names):
        handle = tf("TF_GraphOperationByName", graph, c_char_p(operation.encode()))
        assert handle, operation
        outputs.append(Output(handle, int(index)))
    texts, place = tensor(tf, STRING, STRING_BYTES)
    tf("TF_StringInit", place)
    tf("TF_StringCopy", place, c_char_p(text.encode()), c_size_t(len(text.encode())))
    seeds, place = tensor(tf, INT64, 8)
    ctypes.cast(place, POINTER(c_int64))[0] = int(seed)
    images = (c_void_p * 1)()
    tf.checked(
        "TF_SessionRun",
        session,
        None,
        (Output * 2)(*outputs[:2]),
        (c_void_p * 2)(texts, seeds),
        2,
        (Output * 1)(outputs[2]),
        images,
        1,
        None,
        0,
        None,
    )
    image = c_void_p(images[0])
    data = tf("TF_TensorData", image)
    Path(out).write_bytes(ctypes.string_at(data, tf("TF_TensorByteSize", image)))
    print(*(tf("TF_Dim", image, axis) for axis in range(tf("TF_NumDims", image))))
    assert "tensorflow" not in sys.modules


if __name__ == "__main__":
    main(*sys.argv[1:])
