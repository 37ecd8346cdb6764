"""TensorFlow Serving's gRPC services, and the standard ones for health and reflection."""

import contextlib
import math

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2,
    predict_pb2,
    prediction_service_pb2,
)

from export.server.batching import Batcher
from export.server.metrics import Metrics
from export.server.models import Versions
from export.server.signatures import invalid_argument
from export.server.status import STATUS


class PredictionService:
    """Predict and GetModelMetadata; the other methods answer UNIMPLEMENTED.

    Args:
        versions: The model.
        batcher: Computes the answers.
        metrics: Where requests are counted.
    """

    def __init__(self, versions: Versions, batcher: Batcher, metrics: Metrics):
        self._versions, self._batcher, self._metrics = versions, batcher, metrics

    async def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest
    ) -> predict_pb2.PredictResponse:
        """Runs a signature. A call that is cancelled or past its deadline is not computed."""
        with self._metrics.request("GRPC"):
            return await self._predict(request)

    async def GetModelMetadata(  # noqa: N802
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Describes the model's signatures."""
        if list(request.metadata_field) != ["signature_def"]:
            raise invalid_argument("metadata_field must be 'signature_def'")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with self._versions.use(*_spec(request)) as version:
            signatures = get_model_metadata_pb2.SignatureDefMap(
                signature_def=version.signature_defs
            )
            response.metadata["signature_def"].Pack(signatures)
            response.model_spec.name = self._versions.name
            response.model_spec.version.value = version.number
        return response

    async def _predict(self, request):
        with self._versions.use(*_spec(request)) as version:
            signature = version.signature(request.model_spec.signature_name)
            signature.check_names(request.inputs, request.output_filter)
            inputs = {
                name: _array(signature, name, tensor) for name, tensor in request.inputs.items()
            }
            outputs = await self._batcher.run(version, signature, inputs, request.output_filter)
            response = predict_pb2.PredictResponse()
            response.model_spec.name = self._versions.name
            response.model_spec.version.value = version.number
            response.model_spec.signature_name = signature.name
            for name, values in outputs.items():
                response.outputs[name].CopyFrom(tf.make_tensor_proto(values))
            return response


class ModelService:
    """GetModelStatus; the other methods answer UNIMPLEMENTED.

    Args:
        versions: The model.
    """

    def __init__(self, versions: Versions):
        self._versions = versions

    async def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Tells the states of the model's versions."""
        return self._versions.status(*_spec(request))


async def build(
    address: str, max_bytes: int, prediction: PredictionService, model: ModelService
) -> tuple[grpc.aio.Server, int, health.aio.HealthServicer]:
    """Makes a server of both services and of reflection, its port, and its health service.

    Args:
        address: `host:port`; port 0 takes a free one.
        max_bytes: The most that a request may hold.
        prediction: The one service.
        model: The other.

    Raises:
        RuntimeError: The port is in use.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", max_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ]
    )
    prediction_methods = prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"]
    model_methods = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"]
    services = {prediction_methods: prediction, model_methods: model}
    server.add_generic_rpc_handlers([_handlers(*service) for service in services.items()])
    names = [descriptor.full_name for descriptor in services]
    healthy = health.aio.HealthServicer()
    for name in ("", *names):
        await healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    names += [health.SERVICE_NAME, reflection.SERVICE_NAME]
    reflection.enable_server_reflection(names, server)
    return server, server.add_insecure_port(address), healthy


def _handlers(descriptor, service):
    """Handlers of all of a service's methods, those among them that it lacks."""
    methods = {
        method.name: grpc.unary_unary_rpc_method_handler(
            _answering(method, getattr(service, method.name, None)),
            response_serializer=lambda response: response.SerializeToString(),
        )
        for method in descriptor.methods
    }
    return grpc.method_handlers_generic_handler(descriptor.full_name, methods)


def _answering(method, answer):
    """The function that gRPC calls with a request's bytes, so that we may refuse those."""
    message = GetMessageClass(method.input_type)

    async def handle(data, context):
        if answer is None:
            text = f"{method.full_name} is not served here, only Predict and what describes models"
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, text)
        try:
            request = message.FromString(data)
        except DecodeError:
            text = f"the request is no {method.input_type.full_name}"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, text)
        async with _errors_as_status(context):
            return await answer(request)

    return handle


def _array(signature, name, tensor):
    """A tensor of a request, which has to hold all its values: no memory is taken for others."""
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    signature.check_tensor(name, tensor.dtype, shape)
    if math.prod(shape) <= tensor.ByteSize():
        with contextlib.suppress(ValueError):
            return np.asarray(tf.make_ndarray(tensor))
    raise invalid_argument(f"input {name!r} has not the values of its shape {tuple(shape)}")


def _spec(request):
    spec = request.model_spec
    return spec.name, spec.version.value if spec.HasField("version") else None, spec.version_label


@contextlib.asynccontextmanager
async def _errors_as_status(context):
    try:
        yield
    except tf.errors.OpError as error:
        await context.abort(STATUS[error.error_code], error.message)
