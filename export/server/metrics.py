"""Counts requests for Prometheus, under TensorFlow Serving's names where it has one."""

import collections
import contextlib
import time
from collections.abc import Iterator

import prometheus_client
import tensorflow as tf
from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client.core import Metric

from export.server.status import STATUS

PATH = "/monitoring/prometheus/metrics"
_LATENCIES = [10 * 1.8**power for power in range(9, 30)]  # microseconds, as TensorFlow Serving's


class Metrics:
    """Counts one model's requests.

    Attributes:
        queue_length: Requests that wait.
        batch_size: Rows computed at once.
    """

    def __init__(self, model_name: str):
        prometheus_client.disable_created_metrics()
        self._registry = CollectorRegistry()
        self._model_name = model_name
        self._requests = collections.Counter()
        self._registry.register(self)
        self._latency = Histogram(
            ":tensorflow:serving:request_latency",
            "Microseconds from a request's arrival to its answer.",
            ["model_name", "API", "entrypoint"],
            buckets=_LATENCIES,
            registry=self._registry,
        )
        self.queue_length = Gauge(
            "t2i_serving_queue_length", "Requests that wait.", registry=self._registry
        )
        self.batch_size = Histogram(
            "t2i_serving_batch_size",
            "Rows computed at once.",
            buckets=[2**power for power in range(11)],
            registry=self._registry,
        )

    @contextlib.contextmanager
    def request(self, entrypoint: str) -> Iterator[None]:
        """Counts a prediction, by REST or GRPC, and how it ends."""
        start, status = time.monotonic(), "CANCELLED"
        try:
            yield
            status = "OK"
        except tf.errors.OpError as error:
            status = STATUS[error.error_code].name
            raise
        finally:
            self._requests[status] += 1
            latency = self._latency.labels(self._model_name, "predict", entrypoint)
            latency.observe(1e6 * (time.monotonic() - start))

    def collect(self) -> Iterator[Metric]:
        """The request counts; `prometheus_client.Counter` would add a suffix to their name."""
        name = ":tensorflow:serving:request_count"
        metric = Metric(name, "The total number of requests.", "unknown")
        for status, count in self._requests.items():
            metric.add_sample(name, {"model_name": self._model_name, "status": status}, count)
        yield metric

    def page(self) -> bytes:
        """All of it in Prometheus' text format."""
        return prometheus_client.generate_latest(self._registry)
