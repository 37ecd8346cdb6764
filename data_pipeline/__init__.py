"""Turns raw captioned pictures into TFRecord shards and tf.data batches, without t2i_tf."""

import os

from data_pipeline.support import early, quiet

early.install()

# TensorFlow's native code reads this variable when it is loaded and then prints no start-up
# messages. Errors still reach the caller as exceptions.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Otherwise TensorFlow takes all of a GPU's memory at its start.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
quiet.install()
