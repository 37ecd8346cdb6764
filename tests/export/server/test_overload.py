"""A server that cannot keep up: both interfaces over a batcher that computes nothing."""

import asyncio
import json

import grpc
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

from benchmarks.load import predict_request
from export.server import grpc_service, rest
from export.server.batching import Batcher
from export.server.metrics import Metrics
from export.server.models import Versions
from export.server.signatures import Signature

QUEUE_SIZE = 2


class Echo:
    """A version whose signature takes a text."""

    number, users = 1, 0

    def signature(self, name):
        definition = meta_graph_pb2.SignatureDef()
        definition.inputs["text"].dtype = tf.string.as_datatype_enum
        definition.inputs["text"].tensor_shape.CopyFrom(tf.TensorShape([None]).as_proto())
        definition.outputs["text"].CopyFrom(definition.inputs["text"])
        return Signature("serving_default", definition)

    def run(self, signature, inputs, outputs=()):
        return inputs


@pytest.fixture
def parts(tmp_path):
    metrics = Metrics("birds")
    versions = Versions("birds", tmp_path)
    versions._loaded[1] = Echo()
    return versions, Batcher(32, 0.0, QUEUE_SIZE, metrics), metrics


async def rest_answer(parts, body=b'{"instances": ["a bird"]}', parts_of_body=1):
    """Status, headers and body of the answer to a `:predict` request."""
    sent, size = [], len(body) // parts_of_body
    chunks = [body[i * size : (i + 1) * size] for i in range(parts_of_body)]
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages[-1]["more_body"] = False

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    path = "/v1/models/birds:predict"
    scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b""}
    app = rest.application(rest.RestApi(*parts, max_bytes=1000), parts[2])
    await app(scope, receive, send)
    start, answer = sent
    return start["status"], dict(start["headers"]), json.loads(answer["body"])


def waiting(batcher):
    return len(batcher._queue)


async def fill(parts):
    tasks = [asyncio.create_task(rest_answer(parts)) for _ in range(QUEUE_SIZE)]
    while waiting(parts[1]) < QUEUE_SIZE:
        await asyncio.sleep(0)
    return tasks


async def with_stub(parts, call):
    """Runs `call` with a stub of a gRPC server of the parts, and the server."""
    service = grpc_service.PredictionService(*parts)
    server, port, _ = await grpc_service.build(
        "127.0.0.1:0", 1000, service, grpc_service.ModelService(parts[0])
    )
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await call(prediction_service_pb2_grpc.PredictionServiceStub(channel), server)
    await server.stop(None)


def test_a_full_queue_is_429(parts):
    async def check():
        tasks = await fill(parts)
        status, headers, answer = await rest_answer(parts)
        assert (status, headers[b"retry-after"]) == (429, b"1")
        assert "2 requests are waiting already" in answer["error"]
        for task in tasks:
            task.cancel()

    asyncio.run(check())
    assert b'status="RESOURCE_EXHAUSTED"} 1.0' in parts[2].page()


def test_a_full_queue_is_resource_exhausted(parts):
    async def call(stub, server):
        tasks = await fill(parts)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.Predict(predict_request("birds", "", text=["a"]), timeout=30)
        assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        for task in tasks:
            task.cancel()

    asyncio.run(with_stub(parts, call))


def test_a_call_past_its_deadline_leaves_the_queue(parts):
    async def call(stub, server):
        asking = stub.Predict(predict_request("birds", "", text=["a"]), timeout=0.3)
        while not waiting(parts[1]):
            await asyncio.sleep(0.01)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await asking
        assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        while waiting(parts[1]):
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(with_stub(parts, call), 30))


def test_a_stop_lets_calls_in_flight_end(parts):
    async def call(stub, server):
        request = predict_request("birds", "", text=["a"])
        calls = [stub.Predict(request, timeout=30) for _ in range(QUEUE_SIZE)]
        while waiting(parts[1]) < QUEUE_SIZE:
            await asyncio.sleep(0.01)
        stopping = asyncio.create_task(server.stop(30))
        await asyncio.sleep(0.05)
        work = asyncio.create_task(parts[1].work())
        for answer in await asyncio.gather(*calls):
            assert tf.make_ndarray(answer.outputs["text"]).tolist() == [b"a"]
        await stopping
        work.cancel()

    asyncio.run(with_stub(parts, call))


def test_rest_gives_up_in_the_end(parts, monkeypatch):
    monkeypatch.setattr(rest, "ANSWER_SECONDS", 0.05)
    status, _, answer = asyncio.run(rest_answer(parts))
    assert (status, answer) == (504, {"error": "no answer within 0.05 seconds"})
    assert not waiting(parts[1])


@pytest.mark.parametrize("parts_of_body", [1, 7])
def test_a_body_too_large_is_413_however_it_comes(parts, parts_of_body):
    body = json.dumps({"instances": ["bird " * 1000]}).encode()
    status, headers, _ = asyncio.run(rest_answer(parts, body, parts_of_body))
    assert (status, headers[b"connection"]) == (413, b"close")


def test_a_shape_without_its_values_takes_no_memory(parts):
    request = predict_request("birds", "", text=["a"])
    request.inputs["text"].tensor_shape.dim[0].size = 2**40

    async def call(stub, server):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.Predict(request, timeout=30)
        assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT

    asyncio.run(with_stub(parts, call))
