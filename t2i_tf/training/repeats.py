"""Draws some captions of a batch a second time, to pull images of one caption apart."""

import tensorflow as tf

EVERY = 4  # One in this many captions is drawn twice.


def append(rows: tf.Tensor, again: tf.Tensor) -> tf.Tensor:
    """Rows `[B, ...]` and, behind them, every fourth row of `again`, `[B, ...]`."""
    return tf.concat([rows, again[::EVERY]], axis=0)


def pairs(rows: tf.Tensor, batch_size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The rows that were drawn twice, among appended ones: their first and second forms."""
    return rows[:batch_size:EVERY], rows[batch_size:]
