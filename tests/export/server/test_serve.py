"""The server as a process: both interfaces under load, malformed requests, reload, stop."""

import asyncio
import base64
import dataclasses
import gzip
import http.client
import json
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from PIL import Image
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2,
    prediction_service_pb2_grpc,
)

from benchmarks import load
from benchmarks.load import predict_request
from benchmarks.malformed import MALFORMED, SLOW, ask_malformed, ask_slowly
from data_pipeline.support.errors import UserError
from export import client, saved_model
from export.client import transports
from export.server.models import Versions
from export.server.server import Options, serve
from tests.commands import ROOT, command
from tests.test_imports import imported

CAPTIONS = ["a small red bird", "this bird has a blue belly", "the wings", "green crown with red"]


@pytest.fixture(scope="module")
def served(model_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "small"
    saved_model.export(model_dir, folder)
    return folder


@pytest.fixture(scope="module")
def expected(served):
    return load.Expected(served / "1", CAPTIONS)


@pytest.fixture(scope="module")
def server(served):
    with load.Server(served, "--max_request_mb=1", "--batch_window_ms=1") as server:
        yield server


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def ask(server, path, body=None, method=None):
    """Status and answer of one request."""
    url = f"http://127.0.0.1:{server.rest_port}{path}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def predict(server, body, model="small"):
    status, answer = ask(server, f"/v1/models/{model}:predict", body)
    return status, json.loads(answer)


def test_the_server_knows_no_model_code():
    files = [*(ROOT / "export" / "server").glob("*.py"), ROOT / "export" / "serve.py"]
    assert len(files) > 5
    for file in files:
        assert not imported(file) & {"t2i_tf", "keras", "tensorflow_text"}, file


def test_status_names_the_version(server):
    for path in ("/v1/models/small", "/v1/models/small/versions/1"):
        status, answer = ask(server, path)
        assert status == 200
        assert json.loads(answer) == {
            "model_version_status": [
                {
                    "version": "1",
                    "state": "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                }
            ]
        }


def test_metadata_describes_the_signatures(server, stub):
    _, answer = ask(server, "/v1/models/small/versions/1/metadata")
    described = json.loads(answer)
    assert described["model_spec"] == {"name": "small", "signature_name": "", "version": "1"}
    signatures = described["metadata"]["signature_def"]["signature_def"]
    text = signatures["serving_default"]["inputs"]["text"]
    assert text["dtype"] == "DT_STRING"
    assert text["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}]
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "small"
    answer = stub.GetModelMetadata(request, timeout=30)
    packed = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(packed)
    assert set(packed.signature_def) == set(signatures)
    assert answer.model_spec.version.value == 1


def test_every_signature_answers_by_both_interfaces(server, stub, served):
    signatures = tf.saved_model.load(str(served / "1")).signatures
    rows = {
        "serving_default": {},
        "generate": {"seed": np.array([3, 4])},
        "generate_from_noise": {"noise": np.full([2, 4], 0.5, np.float32)},
        "explain": {"seed": np.array([3, 4])},
        "encode_text": {},
    }
    for name, others in rows.items():
        inputs = {"text": np.array(CAPTIONS[:2]), **others}
        right = signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
        answer = stub.Predict(predict_request("small", name, **inputs), timeout=30)
        assert (answer.model_spec.version.value, answer.model_spec.signature_name) == (1, name)
        assert set(answer.outputs) == set(right)
        columns = {key: value.tolist() for key, value in inputs.items()}
        _, by_column = predict(server, {"signature_name": name, "inputs": columns})
        outputs = (
            by_column["outputs"] if len(right) > 1 else dict.fromkeys(right, by_column["outputs"])
        )
        for key, value in right.items():
            got = tf.make_ndarray(answer.outputs[key])
            assert got.dtype == value.numpy().dtype
            if value.dtype == tf.string:
                assert got.tolist() == value.numpy().tolist()
            else:
                np.testing.assert_allclose(got, value.numpy(), atol=1)
                np.testing.assert_allclose(outputs[key], got, atol=1e-5)
    assert outputs["mask"] == right["mask"].numpy().tolist()


def test_rows_are_answered_by_row(server, expected):
    rows = [{"text": text, "seed": seed} for seed, text in enumerate(CAPTIONS[:2])]
    status, answer = predict(server, {"signature_name": "generate", "instances": rows})
    assert status == 200
    for row, image in enumerate(answer["predictions"]):
        assert not expected.fault_of_image(row, np.array(image, np.uint8))


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_the_client_draws(server, expected, tmp_path, protocol):
    port = {"rest": server.rest_port, "grpc": server.grpc_port}[protocol]
    ask = transports.connect(f"127.0.0.1:{port}", protocol, "small")
    (path,) = client.draw(ask, CAPTIONS[2:3], tmp_path, seed=2)
    with Image.open(path) as image:
        assert not expected.fault_of_image(2, np.asarray(image))


def test_output_filter_leaves_the_rest_out(stub):
    request = predict_request(
        "small", "generate_from_noise", text=["a bird"], noise=np.zeros([1, 4], np.float32)
    )
    request.output_filter.append("image_float")
    assert list(stub.Predict(request, timeout=30).outputs) == ["image_float"]


def grpc_status(call, request, **options):
    with pytest.raises(grpc.RpcError) as raised:
        call(request, timeout=options.pop("timeout", 30), **options)
    return raised.value.code().name, raised.value.details()


def changed(change, signature="generate", **inputs):
    request = predict_request(
        "small", signature, **(inputs or {"text": ["a"], "seed": np.array([1])})
    )
    change(request)
    return request


@pytest.mark.parametrize(
    "request_, status, message",
    [
        (changed(lambda r: setattr(r.model_spec, "name", "cats")), "NOT_FOUND", "cats"),
        (
            changed(lambda r: setattr(r.model_spec.version, "value", 9)),
            "NOT_FOUND",
            r"Specific\(small, 9\)",
        ),
        (
            changed(lambda r: setattr(r.model_spec, "version_label", "stable")),
            "INVALID_ARGUMENT",
            "stable",
        ),
        (changed(lambda r: r.ClearField("model_spec")), "INVALID_ARGUMENT", "no name"),
        (
            changed(lambda r: setattr(r.model_spec, "signature_name", "draw")),
            "FAILED_PRECONDITION",
            "'draw' not found",
        ),
        (changed(lambda r: r.inputs.pop("seed")), "INVALID_ARGUMENT", "missing {seed}"),
        (
            changed(lambda r: r.inputs["size"].CopyFrom(r.inputs["seed"])),
            "INVALID_ARGUMENT",
            "unknown {size}",
        ),
        (
            changed(lambda r: r.output_filter.append("mask")),
            "INVALID_ARGUMENT",
            "output_filter",
        ),
        (
            changed(lambda r: None, text=["a"], seed=[1.5]),
            "INVALID_ARGUMENT",
            "'seed' of signature 'generate' is int64, not float",
        ),
        (
            changed(lambda r: None, text=["a", "a"], seed=np.array([1])),
            "INVALID_ARGUMENT",
            "different numbers of rows",
        ),
        (
            changed(lambda r: None, text=["a"], seed=np.array([[1]])),
            "INVALID_ARGUMENT",
            "has the shape",
        ),
        (
            changed(lambda r: None, text=["a"] * 33, seed=np.arange(33)),
            "INVALID_ARGUMENT",
            "at most 32",
        ),
        (
            changed(lambda r: None, text=["a", "zorp"], seed=np.arange(2)),
            "INVALID_ARGUMENT",
            r"^[^\n]*no word of row 1 \(zorp\)[^\n]*$",
        ),
        (
            changed(
                lambda r: r.inputs["text"].ClearField("string_val"), text=["a"], seed=np.arange(1)
            ),
            "INVALID_ARGUMENT",
            "",
        ),
    ],
)
def test_grpc_refuses_as_tensorflow_serving(stub, request_, status, message):
    code, details = grpc_status(stub.Predict, request_)
    assert code == status and re.search(message, details)


def test_an_empty_batch_is_answered_empty_by_grpc(stub):
    request = predict_request("small", text=np.zeros(0, "S1"), seed=np.zeros(0, np.int64))
    assert tf.make_ndarray(stub.Predict(request, timeout=30).outputs["image"]).shape[0] == 0


def test_grpc_limits_the_size_of_a_request(stub):
    request = predict_request("small", "serving_default", text=["bird " * 400_000])
    assert grpc_status(stub.Predict, request)[0] == "RESOURCE_EXHAUSTED"


def test_grpc_tells_the_status_of_the_model(channel):
    model = model_service_pb2_grpc.ModelServiceStub(channel)
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "small"
    (version,) = model.GetModelStatus(request, timeout=30).model_version_status
    assert (version.version, version.state) == (1, 30)  # AVAILABLE
    request.model_spec.version.value = 8
    assert grpc_status(model.GetModelStatus, request)[0] == "NOT_FOUND"


@pytest.mark.parametrize("name", ["Classify", "Regress", "MultiInference"])
def test_grpc_says_what_it_does_not_serve(server, stub, name):
    method = prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].methods_by_name
    request = GetMessageClass(method[name].input_type)()
    code, details = grpc_status(getattr(stub, name), request)
    assert code == "UNIMPLEMENTED" and f"PredictionService.{name} is not served here" in details


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x0f"])
def test_grpc_refuses_what_is_no_message(channel, data):
    predict = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    code, details = grpc_status(predict, data)
    assert (code, details) == (
        "INVALID_ARGUMENT",
        "the request is no tensorflow.serving.PredictRequest",
    )


def test_probes_find_the_services(channel):
    check = health_pb2_grpc.HealthStub(channel).Check
    for name in ("", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"):
        answer = check(health_pb2.HealthCheckRequest(service=name), timeout=30)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    database = ProtoReflectionDescriptorDatabase(channel)
    assert "tensorflow.serving.PredictionService" in database.get_services()


def test_gzip_is_inflated_up_to_the_limit(server):
    url = f"http://127.0.0.1:{server.rest_port}/v1/models/small:predict"

    def post(data):
        headers = {"Content-Encoding": "gzip"}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    body = json.dumps({"instances": ["a red bird"]}).encode()
    status, answer = post(gzip.compress(body))
    assert status == 200 and json.loads(answer) == predict(server, json.loads(body))[1]
    assert post(b"no gzip")[0] == 400 and "no gzip data" in post(b"no gzip")[1]
    assert post(gzip.compress(body)[:-4])[0] == 400
    status, answer = post(gzip.compress(b" " * 50_000_000))
    assert status == 413 and "inflates to more than" in answer


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/v1/models/cats", 404),
        ("GET", "/v1/models/small/versions/8", 404),
        ("GET", "/v1/models/small/versions/8/metadata", 404),
        ("GET", "/v1/models/small/labels/stable", 400),
        ("GET", "/v1/models/small:predict", 400),
        ("POST", "/v1/models/small", 400),
        ("POST", "/v1/models/small:classify", 400),
        ("PUT", "/v1/models/small:predict", 400),
        ("GET", f"/v1/models/small/versions/{'9' * 5000}", 400),
        ("GET", "/v1/models/small/versions/9223372036854775808", 400),
        ("GET", "/other", 404),
    ],
)
def test_paths_that_there_are_not(server, method, path, status):
    code, answer = ask(server, path, {} if method in ("POST", "PUT") else None, method)
    assert code == status
    if path.startswith("/v1"):
        assert list(json.loads(answer)) == ["error"]


def test_nothing_is_lost_or_hurt_under_load(server, expected, served, stub):
    """Right answers for all while others send rubbish and a new version comes."""

    tallies, (answers, slow, _) = asyncio.run(
        load.load(
            server,
            expected,
            1,
            {"rest": 20, "grpc": 20},
            [ask_malformed(server, 4), ask_slowly(server), load.replace(server, served)],
        )
    )
    for tally in tallies.values():
        assert tally.right > 20 and not tally.problems
    assert answers == {name: (status, 4) for name, (_, _, status) in MALFORMED.items()}
    assert slow == SLOW
    assert set(tallies["grpc"].versions) == {1, 2}
    assert grpc_status(stub.Predict, changed(lambda r: setattr(r.model_spec.version, "value", 1)))[
        0
    ] == ("NOT_FOUND")


def test_metrics_tell_what_happened(server):
    status, page = ask(server, "/monitoring/prometheus/metrics")
    assert status == 200
    counts = dict(re.findall(r"^(\S+) ([\d.e+]+)$", page, re.MULTILINE))
    requests = ':tensorflow:serving:request_count{model_name="small",status="%s"}'
    assert float(counts[requests % "OK"]) > 40
    assert float(counts[requests % "INVALID_ARGUMENT"]) > 4
    for entrypoint in ("REST", "GRPC"):
        labels = f'API="predict",entrypoint="{entrypoint}",model_name="small"'
        assert float(counts[f":tensorflow:serving:request_latency_count{{{labels}}}"]) > 20
    assert float(counts["t2i_serving_queue_length"]) == 0
    rows, batches = (float(counts[f"t2i_serving_batch_size_{key}"]) for key in ("sum", "count"))
    assert rows > 1.5 * batches


@pytest.mark.parametrize("flag", ["rest_port", "grpc_port"])
def test_a_port_in_use_is_refused(server, served, flag):
    options = Options("small", "127.0.0.1", 0, 0, 32, 1.0, 32, 1.0)
    port = getattr(server, flag)
    options = dataclasses.replace(options, **{flag: port})
    with pytest.raises(UserError, match=f"port {port} of .*: Address already in use"):
        serve(served, options)


def test_the_command_refuses_in_one_line(tmp_path):
    done = subprocess.run(
        command("export.serve", f"--saved_model_dir={tmp_path}/none"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: no such folder: {tmp_path}/none\n"


def test_variables_cut_short_are_named(served, tmp_path):
    version = shutil.copytree(served / "1", tmp_path / "cut" / "1")
    (variables,) = version.glob("variables/*.data-*")
    variables.write_bytes(variables.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"1/variables/variables\.data-\S+ is cut short or damaged"):
        Versions("cut", tmp_path / "cut").load_first()


def test_sigterm_loses_nothing_on_kept_connections(served):
    """A request that is sent just after the signal is answered, and told to connect elsewhere."""
    with load.Server(served) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=30)
        connection.request("GET", "/v1/models/small")
        first = connection.getresponse()
        assert first.read() and first.getheader("connection") != "close"
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.15)
        connection.request("GET", "/v1/models/small")
        last = connection.getresponse()
        assert (last.status, last.getheader("connection")) == (200, "close")
        assert server.process.wait(30) == 0


def test_sigterm_ends_what_is_in_flight_first(server, expected):
    async def draw(connection, row):
        body = json.dumps({"instances": [expected.captions[row]]}).encode()
        status, answer = await load.post(*connection, server.name, body)
        (prediction,) = json.loads(answer)["predictions"]
        return status, expected.fault_of_file(row, base64.b64decode(prediction["b64"]))

    async def stop_meanwhile():
        connections = [
            await asyncio.open_connection("127.0.0.1", server.rest_port) for _ in range(100)
        ]
        waiting = [
            asyncio.create_task(draw(connection, i % len(CAPTIONS)))
            for i, connection in enumerate(connections)
        ]
        while not any(task.done() for task in waiting):
            await asyncio.sleep(0.001)
        server.process.send_signal(signal.SIGTERM)
        return await asyncio.gather(*waiting)

    assert asyncio.run(stop_meanwhile()) == [(200, "")] * 100
    _, errors = server.process.communicate(timeout=30)
    assert (server.process.returncode, errors) == (0, "small: version 2 answers from now on\n")
