"""The inputs and outputs of a model's signatures."""

import functools
from collections.abc import Iterable, Sequence

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

invalid_argument = functools.partial(tf.errors.InvalidArgumentError, None, None)


class Signature:
    """The inputs and outputs of one of a model's signatures.

    Attributes:
        name: Its name.
        inputs: `TensorInfo` of each input.
        outputs: `TensorInfo` of each output.
        batched: Whether every input has the batch as its first dimension.
        mergeable: Whether requests may be computed as one batch: every output has it, too, and no
            other dimension that may depend on a row's neighbours.
    """

    def __init__(self, name: str, definition: meta_graph_pb2.SignatureDef):
        self.name = name
        self.inputs, self.outputs = dict(definition.inputs), dict(definition.outputs)
        self._shapes = {key: tf.TensorShape(i.tensor_shape) for key, i in self.inputs.items()}
        results = [tf.TensorShape(info.tensor_shape) for info in self.outputs.values()]
        self.batched = all(_batched(shape) for shape in self._shapes.values())
        self.mergeable = self.batched and all(
            _batched(shape) and shape[1:].is_fully_defined() for shape in results
        )

    def check_names(self, inputs: Sequence[str], outputs: Sequence[str] = ()) -> None:
        """Raises an InvalidArgumentError unless all inputs are given, and the outputs are known."""
        given, wanted = set(inputs), set(self.inputs)
        if given != wanted:
            raise invalid_argument(
                f"signature {self.name!r} takes the inputs {listed(wanted)}: "
                f"missing {listed(wanted - given)}, unknown {listed(given - wanted)}"
            )
        unknown = set(outputs) - set(self.outputs)
        if unknown or len(set(outputs)) < len(outputs):
            raise invalid_argument(
                f"output_filter {list(outputs)}: the outputs of signature {self.name!r} are "
                f"{listed(self.outputs)}, each at most once"
            )

    def check_tensor(self, name: str, dtype: int, shape: Sequence[int]) -> None:
        """Raises an InvalidArgumentError unless an input has the right type (enum) and shape."""
        expected = tf.as_dtype(self.inputs[name].dtype)
        if dtype != expected.as_datatype_enum:
            raise invalid_argument(
                f"input {name!r} of signature {self.name!r} is {expected.name}, "
                f"not {_type_name(dtype)}"
            )
        if min(shape, default=0) < 0 or not self._shapes[name].is_compatible_with(shape):
            raise invalid_argument(
                f"input {name!r} of signature {self.name!r} has the shape {self._shapes[name]}, "
                f"not {tuple(shape)}"
            )


def listed(names: Iterable[str]) -> str:
    """Names in alphabetical order, in braces."""
    return "{" + ", ".join(sorted(names)) + "}"


def _batched(shape):
    return bool(shape.rank) and shape[0] is None


def _type_name(enum):
    try:
        return tf.as_dtype(enum).name
    except TypeError:
        return f"type {enum}"
