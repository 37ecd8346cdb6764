"""Which requests are computed together, in what order, and who is told of a failure."""

import asyncio

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from export.server.batching import Batcher
from export.server.metrics import Metrics
from export.server.signatures import Signature


def signature(outputs=(None, 3)):
    definition = meta_graph_pb2.SignatureDef()
    definition.inputs["x"].CopyFrom(info([None]))
    definition.outputs["y"].CopyFrom(info(outputs))
    return Signature("double", definition)


def info(shape):
    shape = tf.TensorShape(shape).as_proto()
    return meta_graph_pb2.TensorInfo(dtype=tf.float32.as_datatype_enum, tensor_shape=shape)


class Doubles:
    """A version that doubles, notes what it is given, and fails at negative numbers."""

    def __init__(self):
        self.batches = []

    def run(self, signature, inputs, outputs=()):
        self.batches.append(inputs["x"].tolist())
        if (inputs["x"] < 0).any():
            row = int(np.argmax(inputs["x"] < 0))
            raise tf.errors.InvalidArgumentError(None, None, f"row {row} is negative")
        return {"y": 2 * inputs["x"]}


def batcher(max_batch_size=4, window_s=0.0, queue_size=100):
    return Batcher(max_batch_size, window_s, queue_size, Metrics("model"))


async def answers(batcher, asked):
    """Asks for all at once and starts to work then; returns results or exceptions."""
    waiting = [asyncio.create_task(batcher.run(*one)) for one in asked]
    await asyncio.sleep(0)
    work = asyncio.create_task(batcher.work())
    results = await asyncio.gather(*waiting, return_exceptions=True)
    work.cancel()
    return [r if isinstance(r, Exception) else r["y"].tolist() for r in results]


def run(batcher, asked):
    return asyncio.run(answers(batcher, asked))


def x(*values):
    return {"x": np.array(values, np.float32)}


def test_requests_that_wait_are_computed_together():
    version, doubling = Doubles(), signature()
    asked = [(version, doubling, x(i)) for i in range(6)]
    assert run(batcher(), asked) == [[2.0 * i] for i in range(6)]
    assert version.batches == [[0, 1, 2, 3], [4, 5]]


def test_requests_stay_whole_and_in_order():
    version, doubling = Doubles(), signature()
    asked = [(version, doubling, x(*values)) for values in ([1, 2, 3], [4, 5], [6], [])]
    assert run(batcher(), asked) == [[2, 4, 6], [8, 10], [12], []]
    assert version.batches == [[1, 2, 3], [4, 5, 6]]


def test_a_batch_of_one_is_no_batching():
    version, doubling = Doubles(), signature()
    run(batcher(max_batch_size=1), [(version, doubling, x(i)) for i in range(3)])
    assert version.batches == [[0], [1], [2]]


def test_different_kinds_are_kept_apart():
    one, other, doubling = Doubles(), Doubles(), signature()
    asked = [(one, doubling, x(1)), (other, doubling, x(2)), (one, doubling, x(3), ["y"])]
    assert run(batcher(), [*asked, asked[0]]) == [[2], [4], [6], [2]]
    assert (one.batches, other.batches) == ([[1, 1], [3]], [[2]])


@pytest.mark.parametrize("shape", [(None, None), (), (3,)])
def test_outputs_that_depend_on_neighbours_are_computed_alone(shape):
    version, alone = Doubles(), signature(outputs=shape)
    run(batcher(), [(version, alone, x(i)) for i in range(3)])
    assert version.batches == [[0], [1], [2]]


def test_the_window_is_waited_for():
    async def later():
        version, doubling = Doubles(), signature()
        slow = batcher(window_s=0.3)
        work = asyncio.create_task(slow.work())
        first = asyncio.create_task(slow.run(version, doubling, x(1)))
        await asyncio.sleep(0.05)
        await asyncio.gather(first, slow.run(version, doubling, x(2)))
        work.cancel()
        return version.batches

    assert asyncio.run(later()) == [[1, 2]]


def test_a_failure_is_the_failing_requests_own():
    version, doubling = Doubles(), signature()
    asked = [(version, doubling, values) for values in (x(1), x(2, -1), x(3), x(4))]
    first, failed, *others = run(batcher(max_batch_size=8), asked)
    assert (first, others) == ([2], [[6], [8]])
    assert failed.message == "row 1 is negative"
    assert [3.0, 4.0] in version.batches  # Halves, not one by one.


def test_any_fault_is_answered_and_the_work_goes_on():
    class Broken(Doubles):
        def run(self, *arguments):
            raise RuntimeError("broken")

    version, doubling = Doubles(), signature()
    failed, right = run(batcher(), [(Broken(), doubling, x(1)), (version, doubling, x(2))])
    assert str(failed) == "broken" and right == [4]


def test_who_has_gone_is_not_computed():
    async def leave():
        version, doubling = Doubles(), signature()
        full = batcher(queue_size=1)
        gone = asyncio.create_task(full.run(version, doubling, x(1)))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        await answers(full, [(version, doubling, x(2))])  # The place in the queue is free again.
        return version.batches

    assert asyncio.run(leave()) == [[2]]


def test_beyond_the_queue_requests_are_refused_at_once():
    version, doubling = Doubles(), signature()
    results = run(batcher(queue_size=2), [(version, doubling, x(i)) for i in range(3)])
    assert results[:2] == [[0], [2]]
    assert isinstance(results[2], tf.errors.ResourceExhaustedError)


def test_too_many_rows_are_refused():
    (refused,) = run(batcher(), [(Doubles(), signature(), x(1, 2, 3, 4, 5))])
    assert isinstance(refused, tf.errors.InvalidArgumentError)
    assert "5 rows in a request: at most 4" in refused.message


def test_inputs_of_different_rows_are_refused():
    definition = meta_graph_pb2.SignatureDef()
    for name in ("x", "z"):
        definition.inputs[name].CopyFrom(info([None]))
    inputs = {"x": np.zeros(2, np.float32), "z": np.zeros(3, np.float32)}
    (refused,) = run(batcher(), [(Doubles(), Signature("two", definition), inputs)])
    assert isinstance(refused, tf.errors.InvalidArgumentError)
