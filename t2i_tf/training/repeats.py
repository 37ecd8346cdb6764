"""Some captions of a batch are drawn a second time, to pull images of one caption apart."""

import tensorflow as tf

EVERY = 4  # One caption of so many is drawn twice.


def append(rows: tf.Tensor, again: tf.Tensor) -> tf.Tensor:
    """Rows `[B, ...]` and, behind them, every fourth row of `again`, `[B, ...]`."""
    return tf.concat([rows, again[::EVERY]], axis=0)


def pairs(rows: tf.Tensor, batch_size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Of appended rows those that were drawn twice: their first and their second form."""
    return rows[:batch_size:EVERY], rows[batch_size:]
