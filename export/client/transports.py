"""How the client asks a server for a picture: by gRPC or by REST."""

import http.client
import json
import random
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from data_pipeline.support.errors import UserError
from data_pipeline.support.json_text import parse_json

SIGNATURE = "generate"
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds before an unavailable server is asked again

_NO_MODEL = "; there is no model {!r}: give --model_name=, which export.serve prints at its start"

Ask = Callable[[str, int, float], np.ndarray]


class UnavailableError(Exception):
    """The server cannot be reached, or says that it cannot answer now."""


class RefusedError(Exception):
    """The server's answer is an error, or none came in time; asking again would not help."""


class Grpc:
    """Asks by gRPC; may be called from several threads.

    Args:
        address: `host:port`.
        model_name: The model's name on the server.
    """

    def __init__(self, address: str, model_name: str):
        unlimited = [("grpc.max_receive_message_length", -1)]
        channel = grpc.insecure_channel(address, options=unlimited)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._model_name = model_name

    def __call__(self, text: str, seed: int, timeout_s: float) -> np.ndarray:
        """Asks once for a picture.

        Returns:
            uint8 `[H, W, 3]`.

        Raises:
            UnavailableError: The server is not there now.
            RefusedError: It answered with an error, or not within `timeout_s` seconds.
        """
        return _picture(self.predict(SIGNATURE, text, seed, timeout_s)["image"])

    def predict(
        self, signature: str, text: str, seed: int, timeout_s: float
    ) -> dict[str, np.ndarray]:
        """Asks once for all outputs of a signature of text and seed; fails as `__call__` does."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._model_name
        request.model_spec.signature_name = signature
        request.inputs["text"].CopyFrom(tf.make_tensor_proto([text.encode()]))
        request.inputs["seed"].CopyFrom(tf.make_tensor_proto([seed], tf.int64))
        try:
            answer = self._stub.Predict(request, timeout=timeout_s)
        except grpc.RpcError as error:
            kind, hint = RefusedError, ""
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                kind = UnavailableError
            if error.code() == grpc.StatusCode.NOT_FOUND:
                hint = _NO_MODEL.format(self._model_name)
            raise kind(f"{error.code().name}: {error.details()}{hint}") from error
        return {name: tf.make_ndarray(tensor) for name, tensor in answer.outputs.items()}


class Rest:
    """As `Grpc`, by REST.

    Args:
        url: `http://host:port`.
        model_name: The model's name on the server.
    """

    def __init__(self, url: str, model_name: str):
        self._url = f"{url.rstrip('/')}/v1/models/{model_name}:predict"
        self._model_name = model_name

    def __call__(self, text: str, seed: int, timeout_s: float) -> np.ndarray:
        """As `Grpc.__call__`."""
        outputs = self._ask(SIGNATURE, text, seed, timeout_s)
        return _picture(_array(outputs, np.uint8))

    def predict(
        self, signature: str, text: str, seed: int, timeout_s: float
    ) -> dict[str, np.ndarray]:
        """As `Grpc.predict`; JSON knows no types, so numbers come in NumPy's own."""
        outputs = self._ask(signature, text, seed, timeout_s)
        return {name: _array(values, None) for name, values in outputs.items()}

    def _ask(self, signature, text, seed, timeout_s):
        body = {"signature_name": signature, "inputs": {"text": [text], "seed": [seed]}}
        request = urllib.request.Request(
            self._url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as response:
                return parse_json(response.read())["outputs"]
        except urllib.error.HTTPError as error:
            kind = UnavailableError if error.code == 503 else RefusedError
            hint = _NO_MODEL.format(self._model_name) if error.code == 404 else ""
            raise kind(f"HTTP {error.code}: {_message(error.read())}{hint}") from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise RefusedError(f"no answer within {timeout_s:.0f} seconds") from error
            if isinstance(reason, (ConnectionError, socket.gaierror)):
                raise UnavailableError(str(reason)) from error
            raise RefusedError(str(reason)) from error
        except (ValueError, KeyError) as error:
            raise RefusedError("the answer is not TensorFlow Serving's JSON") from error


def connect(server: str, protocol: str | None, model_name: str) -> Ask:
    """A transport to a server.

    Args:
        server: `host:port`, or `http://host:port` for REST.
        protocol: "grpc", "rest", or None to go by `server`.
        model_name: The model's name on the server.

    Raises:
        UserError: The address is none, or asks for another protocol.
    """
    scheme, separator, address = server.rpartition("://")
    host, _, port = address.rstrip("/").rpartition(":")
    if not host or not port.isdecimal() or scheme not in ("", "http", "https"):
        raise UserError(f"the server {server} is neither host:port nor http://host:port")
    if separator and protocol == "grpc":
        raise UserError(f"gRPC takes the server as {address}, without {scheme}://")
    if separator or protocol == "rest":
        return Rest(server if separator else f"http://{server}", model_name)
    return Grpc(server, model_name)


def patiently(ask: Ask, text: str, seed: int, timeout_s: float) -> np.ndarray:
    """Asks until the server is available; pauses double from attempt to attempt, with jitter.

    Raises:
        RefusedError: The server refused, or was not available within `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    pause = FIRST_PAUSE
    while True:
        try:
            return ask(text, seed, max(deadline - time.monotonic(), 0.001))
        except UnavailableError as error:
            wait = pause * random.uniform(0.5, 1.5)
            if time.monotonic() + wait >= deadline:
                raise RefusedError(f"not available for {timeout_s:g} seconds: {error}") from error
        time.sleep(wait)
        pause = min(2 * pause, LONGEST_PAUSE)


def _array(values, dtype):
    try:
        return np.asarray(values, dtype)
    except (ValueError, TypeError) as error:
        raise RefusedError("the answer is not TensorFlow Serving's JSON") from error


def _picture(images):
    if images.ndim != 4 or len(images) != 1 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise RefusedError(f"the answer is no picture but {images.dtype} {images.shape}")
    return images[0]


def _message(body):
    try:
        return parse_json(body)["error"]
    except (ValueError, KeyError, TypeError):
        return "not TensorFlow Serving's answer"
