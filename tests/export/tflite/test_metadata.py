"""The metadata in the LiteRT files, and the files that travel within them."""

import zipfile

import pytest
from ai_edge_litert.tools import flatbuffer_utils
from flatbuffers import number_types
from flatbuffers.table import Table

from export import tflite
from t2i_tf.models import model_directory


@pytest.mark.parametrize("variant", tflite.VARIANTS)
def test_files_travel_along(variant, phone):
    bundled = model_directory.find("bundled:64")
    with zipfile.ZipFile(phone[variant].path) as archive:
        assert archive.namelist() == ["vocabulary.txt", "config.json", "README.md"]
        for entry in archive.infolist():
            assert entry.compress_type == zipfile.ZIP_STORED
            assert archive.read(entry) == (bundled / entry.filename).read_bytes()


class Reader:
    """A table of a flatbuffer, read by the slots of the published metadata_schema.fbs."""

    def __init__(self, data, position):
        self.table = Table(data, position)

    def _at(self, slot):
        offset = self.table.Offset(4 + 2 * slot)
        assert offset, f"slot {slot} is empty"
        return offset + self.table.Pos

    def text(self, slot):
        return self.table.String(self._at(slot)).decode()

    def number(self, slot, kind):
        return self.table.Get(kind, self._at(slot))

    def child(self, slot):
        return Reader(self.table.Bytes, self.table.Indirect(self._at(slot)))

    def children(self, slot):
        offset = self._at(slot) - self.table.Pos
        start = self.table.Vector(offset)
        places = [start + 4 * i for i in range(self.table.VectorLen(offset))]
        return [Reader(self.table.Bytes, self.table.Indirect(place)) for place in places]

    def only_float(self, slot):
        offset = self._at(slot) - self.table.Pos
        assert self.table.VectorLen(offset) == 1
        return self.table.Get(number_types.Float32Flags, self.table.Vector(offset))


@pytest.mark.parametrize("variant", tflite.VARIANTS)
def test_metadata_is_found_again(variant, phone, bundled):
    model = flatbuffer_utils.read_model(str(phone[variant].path))
    (entry,) = [part for part in model.metadata if part.name == b"TFLITE_METADATA"]
    data = bytearray(model.buffers[entry.buffer].data)
    assert data[4:8] == b"M001"
    root = Reader(data, int.from_bytes(data[:4], "little"))
    assert root.text(0) == "tiny"
    assert root.text(1) == "Draws a picture of 64 x 64 px from a caption."
    assert root.text(2) and "MIT License" in root.text(5) and root.text(7) == "1.0.1"
    assert [file.text(0) for file in root.children(6)] == ["config.json", "README.md"]
    (subgraph,) = root.children(3)
    inputs = {tensor.text(0): tensor for tensor in subgraph.children(2)}
    graph = model.subgraphs[0]
    for name, index in zip(inputs, graph.inputs, strict=True):  # In the order of the graph's.
        assert name in graph.tensors[index].name.decode()
    tokens = inputs["tokens"]
    assert "at most 18" in tokens.text(1) and "32 standard normal" in inputs["noise"].text(1)
    stats, (vocabulary,) = tokens.child(5), tokens.children(6)
    assert (stats.only_float(1), stats.only_float(0)) == (0, len(bundled.vocabulary) - 1)
    assert vocabulary.text(0) == "vocabulary.txt"
    assert vocabulary.text(1).endswith("; tokenizer: words")
    assert vocabulary.number(2, number_types.Int8Flags) == 5  # VOCABULARY
    (image,) = subgraph.children(3)
    assert image.text(0) == "image"
    assert image.child(3).number(0, number_types.Uint8Flags) == 2  # ImageProperties
    properties = image.child(3).child(1)
    assert properties.number(0, number_types.Int8Flags) == 1  # RGB
    size = properties.child(1)
    assert [size.number(slot, number_types.Uint32Flags) for slot in (0, 1)] == [64, 64]
