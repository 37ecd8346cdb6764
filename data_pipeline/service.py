"""Training batches that other machines decode: tf.data's service.

A dispatcher with several workers gives their elements in no certain order: even its coordinated
reads skip a worker that is late. So every machine is a service of its own, with one worker. Machine
k of n makes the batches k, k + n, ..., and the trainer takes them in turn: they are the batches
that it would have made itself, in the same order, and a run resumes as exactly.

The service serializes a dataset, so that records are read by TensorFlow's ops here, not by
`records.Records`, whose Python stays in its process.
"""

import socket
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from data_pipeline.records import index_file
from data_pipeline.support.errors import UserError

LOST = "the data service lost a batch: one of its machines began again"
_SERVICE = tf.data.experimental.service
_PREFIX = "grpc://"
_READ_AT_ONCE = 16  # Records.
_PATIENCE = 5  # Seconds for the dispatcher to answer.


def read_by_ops(
    shards: Sequence[Path], counts: Sequence[int], places: tf.data.Dataset
) -> tf.data.Dataset:
    """Turns a dataset of (row, anything) into one of (record, anything), by TensorFlow's ops.

    Args:
        shards: TFRecord files, which all readers see under the same paths.
        counts: Records of each.
        places: The rows, numbered through all shards.

    Raises:
        UserError: A shard has no index.
    """
    missing = [path for path in map(index_file, shards) if not path.is_file()]
    if missing:
        raise UserError(f"{missing[0]}: no such file; the data service needs it: build it again")
    files = tf.constant([str(path.absolute()) for path in shards])
    indexes = tf.constant([str(index_file(path).absolute()) for path in shards])
    ends = np.cumsum(counts)
    ends, firsts = tf.constant(ends), tf.constant(ends - counts)

    def at(row, rest):
        shard = tf.searchsorted(ends, [row], side="right")[0]
        skipped = 8 * (row - firsts[shard])
        begin_and_end = tf.data.FixedLengthRecordDataset(indexes[shard], 8, skipped).take(2)

        def record(numbers):
            begin, end = tf.unstack(tf.io.decode_raw(numbers, tf.int64), num=2)
            variant = tf.raw_ops.TFRecordDatasetV2(
                filenames=files[shard, tf.newaxis],
                compression_type="",
                buffer_size=end[0] - begin[0],
                byte_offsets=begin,
            )
            found = tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.string))
            return found.take(1).map(lambda data: (data, rest))

        return begin_and_end.batch(2).flat_map(record)

    return places.interleave(
        at, _READ_AT_ONCE, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )


class DataService:
    """Machines that run `data_pipeline.serve`.

    Args:
        addresses: `grpc://host:port` of each.

    Raises:
        UserError: An address is malformed, or nothing answers there.
    """

    def __init__(self, addresses: Sequence[str]):
        self._addresses = list(addresses)
        for address in self._addresses:
            host, _, port = address.removeprefix(_PREFIX).rpartition(":")
            if not address.startswith(_PREFIX) or not host or not port.isdecimal():
                raise UserError(f"{address!r}: expected grpc://host:port")
            try:  # TensorFlow itself would wait for an hour.
                socket.create_connection((host, int(port)), _PATIENCE).close()
            except (OSError, OverflowError) as error:
                raise UserError(f"nothing answers at {address} ({error})") from error

    def batches(self, make: Callable[[tf.data.Dataset], tf.data.Dataset]) -> tf.data.Dataset:
        """The batches of all machines, in order.

        Args:
            make: Turns the endless dataset of some batches' numbers into one of these batches.
        """
        machines = len(self._addresses)
        parts = []
        for first, address in enumerate(self._addresses):
            numbers = tf.data.Dataset.counter(first, machines)
            numbered = tf.data.Dataset.zip(numbers, make(numbers)).prefetch(tf.data.AUTOTUNE)
            made_there = _SERVICE.distribute(
                _SERVICE.ShardingPolicy.OFF, address, job_name=uuid.uuid4().hex, compression=None
            )
            parts.append(numbered.apply(made_there))

        def checked(expected, numbered):
            number, batch = numbered
            with tf.control_dependencies([tf.debugging.Assert(number == expected, [LOST])]):
                return tf.nest.map_structure(tf.identity, batch)

        turns = tf.data.Dataset.range(machines).repeat()
        in_turn = tf.data.Dataset.choose_from_datasets(parts, turns)
        return tf.data.Dataset.zip(tf.data.Dataset.counter(), in_turn).map(checked)
