"""Requests made by Hypothesis: each is answered rightly or refused with a sentence.

T2I_FUZZ=10000 sets the number of requests to each interface.
"""

import http.client
import json
import os

import grpc
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis import predict_pb2

from benchmarks import load
from export import saved_model

EXAMPLES = int(os.environ.get("T2I_FUZZ", 100))
fuzzed = settings(max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES <= 100)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("a red bird"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["text", "seed", "noise", "b64", "instances", "inputs", "signature_name"])
SIGNATURES = st.sampled_from(
    ["", "serving_default", "generate", "generate_from_noise", "encode_text"]
)
BODIES = st.one_of(
    st.fixed_dictionaries(
        {}, optional={"signature_name": SIGNATURES | VALUES, "instances": VALUES, "inputs": VALUES}
    ),
    st.fixed_dictionaries(
        {
            "signature_name": SIGNATURES,
            "inputs": st.dictionaries(NAMES, st.lists(st.just("a bird") | st.integers() | VALUES)),
        }
    ),
    VALUES,
)
PATHS = st.one_of(
    st.just("/v1/models/small:predict"),
    st.from_regex(
        r"/v1/models/small(/versions/[0-9]{1,30})?(:predict|:classify|/metadata)?", fullmatch=True
    ),
    st.from_regex(r"/[!-~]{0,40}", fullmatch=True),
)


@pytest.fixture(scope="module")
def server(model_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "small"
    saved_model.export(model_dir, folder)
    with load.Server(folder, "--max_request_mb=1") as server:
        yield server
        server.process.terminate()
        assert server.process.communicate(timeout=60)[1] == ""  # No fault was logged.


def mutated(data, content):
    """Some bytes of a request, changed."""
    content = bytearray(content)
    for _ in range(data.draw(st.integers(0, 3)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    return bytes(content)


def test_rest_answers_anything_in_json(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=30)

    @fuzzed
    @given(PATHS, BODIES, st.sampled_from(["POST", "POST", "GET"]), st.data())
    def ask(path, body, method, data):
        content = mutated(data, json.dumps(body).encode())
        connection.request(method, path, content)
        response = connection.getresponse()
        answer = response.read()
        assert response.status in (200, 400, 404, 405, 412, 413), (response.status, answer)
        if path.startswith("/v1/"):
            found = json.loads(answer)
            assert response.status == 200 or isinstance(found["error"], str) and found["error"]
            assert b"Traceback" not in answer and b"{{node" not in answer

    ask()
    connection.close()


def test_grpc_answers_anything_with_a_status(server):
    refusals = {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
    }
    texts = st.lists(st.text() | st.just("a bird"), max_size=3).map(
        lambda values: tf.make_tensor_proto(values, tf.string)
    )
    numbers = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3).map(
        lambda values: tf.make_tensor_proto(values, tf.int64)
    )
    tensors = texts | numbers
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")

        @fuzzed
        @given(SIGNATURES | st.text(), st.dictionaries(NAMES, tensors, max_size=3), st.data())
        def ask(signature, inputs, data):
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = "small", signature
            for name, tensor in inputs.items():
                request.inputs[name].CopyFrom(tensor)
            try:
                answer = call(mutated(data, request.SerializeToString()), timeout=30)
                assert predict_pb2.PredictResponse.FromString(answer).outputs
            except grpc.RpcError as error:
                assert error.code() in refusals and error.details(), error

        ask()
