"""TensorFlow Serving's gRPC services: PredictionService and ModelService."""

import contextlib
import math

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from export.server.batching import Batcher
from export.server.metrics import Metrics
from export.server.models import Versions
from export.server.signatures import invalid_argument
from export.server.status import STATUS


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the other methods answer UNIMPLEMENTED.

    Args:
        versions: The model.
        batcher: Computes the answers.
        metrics: Where requests are counted.
    """

    def __init__(self, versions: Versions, batcher: Batcher, metrics: Metrics):
        self._versions, self._batcher, self._metrics = versions, batcher, metrics

    async def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest, context: grpc.aio.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Runs a signature. A call that is cancelled or past its deadline is not computed."""
        async with _errors_as_status(context):
            with self._metrics.request("GRPC"):
                return await self._predict(request)

    async def GetModelMetadata(  # noqa: N802
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.aio.ServicerContext,
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Describes the model's signatures."""
        async with _errors_as_status(context):
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


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus.

    Args:
        versions: The model.
    """

    def __init__(self, versions: Versions):
        self._versions = versions

    async def GetModelStatus(  # noqa: N802
        self,
        request: get_model_status_pb2.GetModelStatusRequest,
        context: grpc.aio.ServicerContext,
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Tells the states of the model's versions."""
        async with _errors_as_status(context):
            return self._versions.status(*_spec(request))


def build(
    address: str, max_bytes: int, prediction: PredictionService, model: ModelService
) -> tuple[grpc.aio.Server, int]:
    """Makes a server of both services, and tells its port.

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
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(model, server)
    return server, server.add_insecure_port(address)


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
