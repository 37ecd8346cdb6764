"""From raw captioned pictures to TFRecord shards and tf.data batches; imports nothing of t2i_tf."""

import os

from data_pipeline.support import quiet

# TensorFlow's native code reads this when it is loaded: it then keeps its start-up chatter to
# itself. Errors reach the caller as exceptions all the same.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
quiet.install()
