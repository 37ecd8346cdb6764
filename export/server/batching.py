"""Requests that come in at the same time, computed together."""

import asyncio
import collections
import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from export.server.metrics import Metrics
from export.server.models import Version
from export.server.signatures import Signature, invalid_argument


@dataclasses.dataclass(eq=False)
class _Request:
    version: Version
    signature: Signature
    inputs: Mapping[str, np.ndarray]
    outputs: tuple[str, ...]
    arrived: float
    answer: asyncio.Future

    def __post_init__(self):
        self.rows = len(next(iter(self.inputs.values()))) if self.signature.batched else 1
        self.key = (self.version, self.signature, self.outputs)


class Batcher:
    """Answers requests in the order of arrival; of one kind, as many at once as fit a batch.

    Its methods belong to one event loop, TensorFlow runs in a thread beside it. While a batch is
    computed the next one gathers, so the window matters where little is asked.

    Args:
        max_batch_size: Rows computed at once at most; a larger request is refused.
        window_s: How long a request waits for others.
        queue_size: Requests that may wait; beyond it they are refused at once.
        metrics: Where batches are counted.
    """

    def __init__(self, max_batch_size: int, window_s: float, queue_size: int, metrics: Metrics):
        self._max_batch_size, self._window_s = max_batch_size, window_s
        self._queue_size, self._metrics = queue_size, metrics
        self._queue = collections.deque()
        self._arrival = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "compute")
        metrics.queue_length.set_function(self._queue.__len__)

    async def run(
        self,
        version: Version,
        signature: Signature,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str] = (),
    ) -> dict[str, np.ndarray]:
        """`version.run` in a batch. If it is cancelled while it waits, nothing is computed.

        Raises:
            InvalidArgumentError: Inputs of different or too many rows, or the graph said so.
            ResourceExhaustedError: Too many requests wait already.
        """
        if signature.batched:
            self._check_rows({name: len(values) for name, values in inputs.items()})
        if len(self._queue) >= self._queue_size:
            raise tf.errors.ResourceExhaustedError(
                None, None, f"{self._queue_size} requests are waiting already: try again later"
            )
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        request = _Request(version, signature, inputs, tuple(outputs), loop.time(), answer)
        self._queue.append(request)
        self._arrival.set()
        try:
            return await answer
        finally:
            with contextlib.suppress(ValueError):  # It has been taken out of the queue.
                self._queue.remove(request)

    async def work(self) -> None:
        """Computes batches until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            requests = await self._gather()
            self._metrics.batch_size.observe(sum(request.rows for request in requests))
            answers = await loop.run_in_executor(self._thread, _compute, requests)
            for request, answer in zip(requests, answers, strict=True):
                if request.answer.done():  # The client has gone.
                    continue
                if isinstance(answer, Exception):
                    request.answer.set_exception(answer)
                else:
                    request.answer.set_result(answer)

    def _check_rows(self, rows):
        if len(set(rows.values())) > 1:
            raise invalid_argument(f"inputs of different numbers of rows: {rows}")
        if max(rows.values()) > self._max_batch_size:
            raise invalid_argument(
                f"{max(rows.values())} rows in a request: at most {self._max_batch_size} are "
                "computed at once"
            )

    async def _gather(self):
        """Waits for a batch and takes it out of the queue."""
        loop = asyncio.get_running_loop()
        while True:
            self._arrival.clear()
            until = None
            if self._queue:
                batch, full = self._batch_of(self._queue[0])
                until = batch[0].arrived + self._window_s
                if full or loop.time() >= until:
                    for request in batch:
                        self._queue.remove(request)
                    return batch
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._arrival.wait()

    def _batch_of(self, first):
        """The first request and those that can be computed with it; whether no more can be."""
        if not first.signature.mergeable:
            return [first], True
        batch, rows = [], 0
        for request in self._queue:
            if request.key == first.key:
                if rows + request.rows > self._max_batch_size:
                    return batch, True
                batch.append(request)
                rows += request.rows
        return batch, rows == self._max_batch_size


def _compute(requests):
    """Computes the outputs of each request, or the error in their place.

    If a batch fails its halves are tried, so that a request fails by itself alone.
    """
    first = requests[0]
    try:
        if len(requests) == 1:
            return [first.version.run(first.signature, first.inputs, first.outputs)]
        merged = {
            name: np.concatenate([request.inputs[name] for request in requests])
            for name in first.inputs
        }
        outputs = first.version.run(first.signature, merged, first.outputs)
    except Exception as error:
        if len(requests) == 1:
            return [error]
        half = len(requests) // 2
        return _compute(requests[:half]) + _compute(requests[half:])
    ends = np.cumsum([request.rows for request in requests])
    return [
        {name: values[end - request.rows : end] for name, values in outputs.items()}
        for request, end in zip(requests, ends, strict=True)
    ]
