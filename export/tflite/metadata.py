"""Describes a model by TFLite's own metadata, and adds the files that travel within its file.

The metadata is a flatbuffer by the published schema (`metadata_schema.fbs` of TensorFlow Lite
Support, identifier M001), kept in the model's buffer `TFLITE_METADATA`; the files are a zip archive
behind the model. Android's `MetadataExtractor` and Python's `zipfile` read both. The archive is not
compressed, so that a phone needs no unzip.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

BUFFER, IDENTIFIER, PARSER = "TFLITE_METADATA", b"M001", "1.0.1"
DESCRIPTIONS, VOCABULARY = np.int8(1), np.int8(5)  # AssociatedFileType
FEATURE, IMAGE = np.uint8(1), np.uint8(2)  # ContentProperties
RGB = np.int8(1)  # ColorSpaceType
_DATE = (1980, 1, 1, 0, 0, 0)  # The same model gives the same file.

_SCALARS = {
    np.int8: flatbuffers.Builder.PrependInt8Slot,
    np.uint8: flatbuffers.Builder.PrependUint8Slot,
    np.uint32: flatbuffers.Builder.PrependUint32Slot,
}


def associated_file(name: str, description: str, kind: np.int8) -> dict:
    """The metadata's entry for a file of the archive."""
    return {0: name, 1: description, 2: kind}


def features(
    name: str,
    description: str,
    low: float | None = None,
    high: float | None = None,
    files: Sequence[dict] = (),
) -> dict:
    """Metadata of a tensor of numbers from `low` to `high`."""
    tensor = {0: name, 1: description, 3: {0: FEATURE, 1: {}}, 6: files}
    return tensor if low is None else tensor | {5: {0: np.float32([high]), 1: np.float32([low])}}


def image(name: str, description: str, height: int, width: int) -> dict:
    """Metadata of an RGB picture."""
    size = {0: np.uint32(width), 1: np.uint32(height)}
    return {0: name, 1: description, 3: {0: IMAGE, 1: {0: RGB, 1: size}}}


def model(
    name: str,
    description: str,
    version: str,
    license: str,
    inputs: Mapping[str, dict],
    outputs: Mapping[str, dict],
    files: Sequence[dict],
) -> dict:
    """Metadata of a model of one signature.

    Args:
        name: Of the model.
        description: What it does.
        version: Of what wrote it.
        license: What may be done with it.
        inputs: Name -> `features` or `image`.
        outputs: Likewise.
        files: `associated_file`s of the model as a whole.
    """
    subgraph = {0: name, 2: inputs, 3: outputs}
    return {
        0: name, 1: description, 2: version, 3: [subgraph], 5: license, 6: files, 7: PARSER
    }  # fmt: skip


def attach(content: bytes, metadata: dict, files: Mapping[str, str]) -> bytes:
    """Adds metadata and files to a TFLite model.

    Args:
        content: The model.
        metadata: From `model`; its inputs and outputs are brought into the model's order.
        files: Name -> text.
    """
    parsed = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    signature, subgraph = parsed.signatureDefs[0], parsed.subgraphs[0]
    described = dict(metadata[3][0])
    for slot, names, order in (
        (2, signature.inputs, subgraph.inputs),
        (3, signature.outputs, subgraph.outputs),
    ):
        by_index = {part.tensorIndex: part.name.decode() for part in names}
        described[slot] = [described[slot][by_index[index]] for index in order]
    entry = schema.MetadataT(BUFFER, len(parsed.buffers))
    parsed.metadata = [*(parsed.metadata or []), entry]
    packed = np.frombuffer(_flatbuffer(metadata | {3: [described]}), np.uint8)
    parsed.buffers.append(schema.BufferT(packed))
    stream = io.BytesIO(flatbuffer_utils.convert_object_to_bytearray(parsed))
    with zipfile.ZipFile(stream, "a") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), text)
    return stream.getvalue()


def _flatbuffer(table):
    builder = flatbuffers.Builder()
    builder.Finish(_write(builder, table), IDENTIFIER)
    return builder.Output()


def _write(builder, value):
    """Writes a string, a table (slot -> value) or a vector; returns its offset."""
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, np.ndarray):
        return builder.CreateNumpyVector(value)
    if isinstance(value, Sequence):
        offsets = [_write(builder, part) for part in value]
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()
    written = {
        slot: part if type(part) in _SCALARS else _write(builder, part)
        for slot, part in value.items()
    }
    builder.StartObject(max(written, default=-1) + 1)
    for slot, part in written.items():
        if type(part) in _SCALARS:
            _SCALARS[type(part)](builder, slot, part, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, part, 0)
    return builder.EndObject()
