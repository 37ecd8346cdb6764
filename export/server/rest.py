"""TensorFlow Serving's REST interface as an ASGI application."""

import asyncio
import functools
import json
import re
import zlib

import h11
import tensorflow as tf
from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from tensorflow_serving.apis import get_model_metadata_pb2
from uvicorn.protocols.http.h11_impl import H11Protocol

from export.server import json_tensors, metrics
from export.server.batching import Batcher
from export.server.models import Versions, version_number
from export.server.signatures import invalid_argument
from export.server.status import HTTP_STATUS, STATUS

ARRIVAL_SECONDS = 10  # for the head of a request, and again for its body
LONG_BODY = 2**16  # bytes; others would wait while it is parsed
ANSWER_SECONDS = 30  # as TensorFlow Serving's --rest_api_timeout_in_ms

_MODEL = r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"
_PREDICT = re.compile(_MODEL + ":(classify|regress|predict)", re.IGNORECASE)
_STATUS = re.compile(_MODEL + "(/metadata)?", re.IGNORECASE)


class RestApi:
    """`/v1/models/<name>[/versions/<n>]`, `.../metadata` and `...:predict`; an ASGI application.

    Args:
        versions: The model.
        batcher: Computes the answers.
        measured: Where requests are counted.
        max_bytes: The most that a request's body may hold.

    Attributes:
        closing: Whether each answer is its connection's last, because the server stops.
    """

    def __init__(
        self, versions: Versions, batcher: Batcher, measured: metrics.Metrics, max_bytes: int
    ):
        self._versions, self._batcher = versions, batcher
        self._metrics, self._max_bytes = measured, max_bytes
        self.closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        try:
            response = _json(await self._answer(request))
        except tf.errors.OpError as error:
            status = HTTP_STATUS.get(STATUS[error.error_code], 500)
            headers = {"Retry-After": "1"} if status == 429 else None
            response = _json(_error(error.message), status, headers)
        except _Refused as refused:
            response = _json(_error(refused.message), refused.status, {"Connection": "close"})
        if self.closing:
            response.headers["Connection"] = "close"
        await response(scope, receive, send)

    async def _answer(self, request):
        path = request.url.path
        asked = _PREDICT.fullmatch(path) if request.method == "POST" else None
        if asked:
            body = await self._body(request)
            with self._metrics.request("REST"):
                return await self._predict(body, *asked.groups())
        asked = _STATUS.fullmatch(path) if request.method == "GET" else None
        if not asked:
            raise invalid_argument(f"Malformed request: {request.method} {path}")
        *model, metadata = asked.groups()
        if metadata:
            return self._metadata(*model)
        status = self._versions.status(*_spec(*model))
        return json_format.MessageToJson(
            status, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
        ).encode()

    async def _predict(self, body, name, number, label, method):
        with self._versions.use(*_spec(name, number, label)) as version:
            if method.lower() != "predict":
                raise invalid_argument(f"the model has no signature for {method}, only for predict")
            parse = functools.partial(json_tensors.parse, body, version.signature)
            long = len(body) > LONG_BODY
            signature, inputs, by_row = await asyncio.to_thread(parse) if long else parse()
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    outputs = await self._batcher.run(version, signature, inputs)
            except TimeoutError as error:
                message = f"no answer within {ANSWER_SECONDS} seconds"
                raise tf.errors.DeadlineExceededError(None, None, message) from error
            return await asyncio.to_thread(json_tensors.render, outputs, by_row)

    def _metadata(self, name, number, label):
        with self._versions.use(*_spec(name, number, label)) as version:
            signatures = get_model_metadata_pb2.SignatureDefMap(
                signature_def=version.signature_defs
            )
            spec = {"name": name, "signature_name": "", "version": str(version.number)}
        definitions = json_format.MessageToDict(
            signatures, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
        )
        return json.dumps({"model_spec": spec, "metadata": {"signature_def": definitions}}).encode()

    async def _body(self, request):
        """Reads the body; an excess is read too, but not kept, so that the refusal arrives."""
        body, size = bytearray(), 0
        try:
            async with asyncio.timeout(ARRIVAL_SECONDS):
                async for part in request.stream():
                    size += len(part)
                    body += part
                    if size > self._max_bytes:
                        body.clear()
        except TimeoutError as error:
            message = f"the body did not arrive within {ARRIVAL_SECONDS} seconds"
            raise _Refused(408, message) from error
        if size > self._max_bytes:
            raise _Refused(413, f"the body has {size} bytes, at most {self._max_bytes} are read")
        if "gzip" in request.headers.get("content-encoding", ""):
            return self._inflated(body)
        return bytes(body)

    def _inflated(self, body):
        inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            whole = inflater.decompress(body, self._max_bytes + 1)
        except zlib.error as error:
            raise invalid_argument(f"the body is no gzip data: {error}") from error
        if len(whole) > self._max_bytes:
            message = f"the body inflates to more than the {self._max_bytes} bytes that are read"
            raise _Refused(413, message)
        if not inflater.eof:
            raise invalid_argument("the body's gzip data are cut short")
        return whole


class PromptProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection on which the head of a request takes too long."""

    _head_timer = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Starts to wait for the first request."""
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Waits on where the head is not complete, however often something arrives."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._watch_head()
        else:
            self._stop_watching()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops waiting."""
        super().connection_lost(exc)
        self._stop_watching()

    def _watch_head(self):
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(ARRIVAL_SECONDS, self.transport.close)

    def _stop_watching(self):
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _Refused(Exception):
    """HTTP's refusal of something that is not yet a request to the model."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.message = status, message


def application(api: RestApi, measured: metrics.Metrics) -> Starlette:
    """Makes the application of the REST interface and the metrics page."""

    async def page(request: Request) -> Response:
        return Response(measured.page(), media_type="text/plain; version=0.0.4")

    return Starlette(routes=[Route(metrics.PATH, page), Route("/v1/{path:path}", api)])


def _spec(name, number, label):
    version = version_number(number) if number else None
    if number and version is None:
        raise invalid_argument(f"Failed to convert version: {number[:80]} to numeric.")
    return name, version, label or ""


def _error(message):
    return json.dumps({"error": message}).encode()


def _json(body, status=200, headers=None):
    return Response(body, status, headers, "application/json")
