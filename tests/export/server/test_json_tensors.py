"""TensorFlow Serving's JSON: what is read and written, and what is refused."""

import base64
import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from export.server import json_tensors
from export.server.signatures import Signature


def signature(**inputs):
    definition = meta_graph_pb2.SignatureDef()
    for name, (dtype, shape) in inputs.items():
        definition.inputs[name].dtype = dtype.as_datatype_enum
        definition.inputs[name].tensor_shape.CopyFrom(tf.TensorShape(shape).as_proto())
    return Signature("some", definition)


TEXT = signature(text=(tf.string, [None]))
BOTH = signature(text=(tf.string, [None]), seed=(tf.int64, [None]))
MATRIX = signature(x=(tf.float32, [None, 2]))
FLAGS = signature(x=(tf.bool, [None]))


def parse(request, known=TEXT):
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    _, inputs, by_row = json_tensors.parse(body, lambda name: known)
    return {name: values.tolist() for name, values in inputs.items()}, by_row


@pytest.mark.parametrize(
    "request_, known, inputs",
    [
        ({"instances": ["a", "é"]}, TEXT, {"text": [b"a", "é".encode()]}),
        ({"instances": [{"text": "a"}]}, TEXT, {"text": [b"a"]}),
        ({"instances": [{"b64": "AP8="}]}, TEXT, {"text": [b"\0\xff"]}),
        ({"inputs": ["a"]}, TEXT, {"text": [b"a"]}),
        ({"inputs": []}, TEXT, {"text": []}),
        ({"inputs": {"text": [{"b64": "AA=="}]}}, TEXT, {"text": [b"\0"]}),
        ({"instances": [{"text": "a", "seed": 2}]}, BOTH, {"text": [b"a"], "seed": [2]}),
        ({"inputs": {"text": ["a"], "seed": [2**63 - 1]}}, BOTH, {"seed": [2**63 - 1]}),
        ({"instances": [[1, 2.5]]}, MATRIX, {"x": [[1.0, 2.5]]}),
        (b'{"inputs": [[1, -Infinity]]}', MATRIX, {"x": [[1.0, -np.inf]]}),
        ({"inputs": [True, False]}, FLAGS, {"x": [True, False]}),
    ],
)
def test_what_is_read(request_, known, inputs):
    values, by_row = parse(request_, known)
    assert {name: values[name] for name in inputs} == inputs
    assert by_row == ("instances" in str(request_))


@pytest.mark.parametrize(
    "request_, known, message",
    [
        (b"", TEXT, "JSON Parse error"),
        (b'{"instances": ["a"', TEXT, "JSON Parse error"),
        (b'{"instances": ["a\0"]}', TEXT, "JSON Parse error"),
        (b'{"instances": ["\xff"]}', TEXT, "JSON Parse error"),
        (b"[" * 100_000, TEXT, "JSON Parse error"),
        (b'{"inputs": ' + b"[" * 60 + b"]" * 60 + b"}", TEXT, "nested too deeply"),
        (["a"], TEXT, "not an object"),
        ({}, TEXT, "either 'instances' or 'inputs'"),
        ({"instances": ["a"], "inputs": ["a"]}, TEXT, "either 'instances' or 'inputs'"),
        ({"instances": ["a"], "signature_name": 3}, TEXT, "signature_name 3"),
        ({"instances": []}, TEXT, "at least one"),
        ({"instances": "a"}, TEXT, "to be a list"),
        ({"inputs": "a"}, TEXT, "shape"),
        ({"instances": [["a", "b"], ["c"]]}, TEXT, "does not fit the shape"),
        ({"instances": [["a"]]}, TEXT, "has the shape"),
        ({"instances": ["\ud800"]}, TEXT, "surrogates not allowed"),
        ({"instances": [{"b64": "?"}]}, TEXT, "JSON Value"),
        ({"instances": [None]}, TEXT, "not of type string"),
        ({"instances": [7]}, TEXT, "JSON Value: 7 is not of type string"),
        ({"instances": [{"words": "a"}]}, TEXT, "keys must be text"),
        ({"instances": ["a"]}, BOTH, "several inputs"),
        ({"instances": [{"text": "a"}]}, BOTH, "keys must be seed, text"),
        ({"inputs": {"text": ["a"]}}, BOTH, "missing {seed}"),
        ({"inputs": {"text": ["a"], "seed": [1.0]}}, BOTH, "1.0 is not of type int64"),
        ({"inputs": {"text": ["a"], "seed": [True]}}, BOTH, "True is not of type int64"),
        ({"inputs": {"text": ["a"], "seed": [2**63]}}, BOTH, "out of range"),
        ({"instances": [[1, 1e39]]}, MATRIX, "out of range"),
        (b'{"instances": [[1, 1' + b"0" * 400 + b"]]}", MATRIX, "out of range"),
        ({"instances": [[1, 2, 3]]}, MATRIX, "has the shape"),
        ({"inputs": [1]}, FLAGS, "1 is not of type bool"),
    ],
)
def test_what_is_refused(request_, known, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        parse(request_, known)


def test_one_output_stands_by_itself():
    outputs = {"image": np.array([[0, 255]], np.uint8)}
    assert json.loads(json_tensors.render(outputs, by_row=True)) == {"predictions": [[0, 255]]}
    assert json.loads(json_tensors.render(outputs, by_row=False)) == {"outputs": [[0, 255]]}


def test_several_outputs_are_named():
    outputs = {"x": np.array([0.1, np.inf], np.float32), "word": np.array([b"a", b"b"], object)}
    assert json.loads(json_tensors.render(outputs, by_row=True)) == {
        "predictions": [{"x": 0.1, "word": "a"}, {"x": np.inf, "word": "b"}]
    }
    assert json.loads(json_tensors.render(outputs, by_row=False)) == {
        "outputs": {"x": [0.1, np.inf], "word": ["a", "b"]}
    }


def test_bytes_are_written_in_base64():
    written = json_tensors.render({"image_bytes": np.array([b"\x89PNG\0"], object)}, by_row=True)
    (prediction,) = json.loads(written)["predictions"]
    assert base64.b64decode(prediction["b64"]) == b"\x89PNG\0"


def test_a_string_of_no_dimension_is_written():
    assert json.loads(json_tensors.render({"name": b"red\x00"}, False)) == {"outputs": "red\x00"}
    answer = json_tensors.render({"a": np.array(b"x", object), "b": np.float32(0.5)}, False)
    assert json.loads(answer) == {"outputs": {"a": "x", "b": 0.5}}


def test_rows_must_be_as_many():
    outputs = {"x": np.zeros(2), "y": np.zeros(3)}
    with pytest.raises(tf.errors.InvalidArgumentError, match="different numbers of rows"):
        json_tensors.render(outputs, by_row=True)
    assert json.loads(json_tensors.render(outputs, by_row=False))
