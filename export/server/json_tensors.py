"""Tensors from and to the JSON of TensorFlow Serving's REST interface."""

import base64
import binascii
import json
import math
import reprlib
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from export.server.signatures import Signature, invalid_argument

MOST_DIMENSIONS = 32


def parse(
    body: bytes, find_signature: Callable[[str], Signature]
) -> tuple[Signature, dict[str, np.ndarray], bool]:
    """Reads the body of a `:predict` request.

    Args:
        body: `{"signature_name": ..., "instances": [...]}` (rows) or with `"inputs"` (columns).
        find_signature: From a signature's name, "" for the default, to the signature.

    Returns:
        The signature, the inputs, and whether they came as rows.

    Raises:
        OpError: Whatever `find_signature` raises; InvalidArgumentError if the body is not as above.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid_argument(f"JSON Parse error: {error}") from error
    if not isinstance(request, dict):
        raise invalid_argument(f"JSON Value: {_shown(request)} is not an object")
    name = request.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(f"signature_name {_shown(name)} is not a string")
    signature = find_signature(name)
    if ("instances" in request) == ("inputs" in request):
        raise invalid_argument("expecting either 'instances' or 'inputs' in the request")
    by_row = "instances" in request
    columns = (
        _columns(request["instances"], signature)
        if by_row
        else _named(request["inputs"], signature)
    )
    signature.check_names(columns)
    inputs = {}
    for name, value in columns.items():
        dtype = tf.as_dtype(signature.inputs[name].dtype)
        inputs[name] = _tensor(value, dtype)
        signature.check_tensor(name, dtype.as_datatype_enum, inputs[name].shape)
    return signature, inputs, by_row


def render(outputs: Mapping[str, np.ndarray], by_row: bool) -> bytes:
    """Writes outputs as JSON: `{"predictions": [...]}` by row, else `{"outputs": ...}`.

    Strings whose output's name ends in `_bytes` are written as `{"b64": ...}`.

    Raises:
        InvalidArgumentError: By row, but the outputs have different numbers of rows.
    """
    # A string of no dimension comes as bytes.
    outputs = {
        name: np.array(values, object) if isinstance(values, bytes) else values
        for name, values in outputs.items()
    }
    columns = {name: _plain(values, name.endswith("_bytes")) for name, values in outputs.items()}
    if not by_row:
        answer = {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
    elif len({len(values) if values.ndim else None for values in outputs.values()}) > 1:
        raise invalid_argument("the outputs have different numbers of rows: ask by 'inputs'")
    elif len(columns) == 1:
        answer = {"predictions": next(iter(columns.values()))}
    else:
        rows = zip(*columns.values(), strict=True)
        answer = {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}
    return json.dumps(answer).encode()


def _columns(instances, signature):
    """Rows as one list for each input."""
    if not isinstance(instances, list) or not instances:
        raise invalid_argument("expecting 'instances' to be a list of at least one element")
    rows = [_named(instance, signature) for instance in instances]
    for row, named in enumerate(rows):
        if named.keys() != signature.inputs.keys():
            raise invalid_argument(
                f"instance {row}: its keys must be {', '.join(sorted(signature.inputs))}"
            )
    return {name: [named[name] for named in rows] for name in signature.inputs}


def _named(value, signature):
    """An object of inputs by name; if there is one input only, it may stand by itself."""
    if isinstance(value, dict) and not _is_base64(value):
        return value
    if len(signature.inputs) > 1:
        raise invalid_argument(
            f"signature {signature.name!r} has several inputs: expecting objects with the keys "
            f"{', '.join(sorted(signature.inputs))}, not {_shown(value)}"
        )
    return {next(iter(signature.inputs)): value}


def _tensor(value, dtype):
    shape, first = [], value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    if len(shape) > MOST_DIMENSIONS:
        raise invalid_argument(f"{_shown(value)} is nested too deeply")
    read = _reader(dtype)
    leaves = [read(leaf) for leaf in _leaves(value, shape)]
    tensor = np.empty(len(leaves), dtype.as_numpy_dtype)
    tensor[:] = leaves
    return tensor.reshape(shape)


def _leaves(value, shape):
    if isinstance(value, list) != bool(shape) or (shape and len(value) != shape[0]):
        raise invalid_argument(f"{_shown(value)} does not fit the shape of its neighbours")
    if not shape:
        yield value
        return
    for part in value:
        yield from _leaves(part, shape[1:])


def _reader(dtype):
    """A function from a JSON value to a value of the type."""
    if dtype == tf.string:
        return _string
    expected = (bool,) if dtype == tf.bool else (int,) if dtype.is_integer else (int, float)
    least, most = (False, True) if dtype == tf.bool else map(_number, (dtype.min, dtype.max))

    def read(value):
        if not isinstance(value, expected) or (isinstance(value, bool) and dtype != tf.bool):
            raise invalid_argument(f"JSON Value: {_shown(value)} is not of type {dtype.name}")
        finite = isinstance(value, int) or math.isfinite(value)
        if finite and not least <= value <= most:
            raise invalid_argument(f"JSON Value: {_shown(value)} is out of range for {dtype.name}")
        return value

    return read


def _number(limit):
    """One that compares with integers of any size."""
    return np.asarray(limit).item()


def _string(value):
    try:
        if isinstance(value, str):
            return value.encode()
        if _is_base64(value):
            return base64.b64decode(value["b64"], validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError) as error:
        raise invalid_argument(f"JSON Value: {_shown(value)}: {error}") from error
    raise invalid_argument(f"JSON Value: {_shown(value)} is not of type string")


def _is_base64(value):
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _plain(values, as_base64):
    """Turns an array into nested lists of JSON's types."""
    if values.dtype == object:
        write = _encoded if as_base64 else lambda string: string.decode(errors="replace")
        return _nested(values.tolist(), write)
    if values.dtype == np.float32:  # 0.1 rather than 0.10000000149011612
        return values.astype("U").astype(np.float64).tolist()
    return values.tolist()


def _nested(values, write):
    if isinstance(values, bytes):
        return write(values)
    return [_nested(part, write) for part in values]


def _encoded(string):
    return {"b64": base64.b64encode(string).decode()}


def _shown(value):
    return reprlib.repr(value)  # However long or deep it is.
