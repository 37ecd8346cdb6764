"""From a model directory to what is shipped; wraps t2i_tf."""

import data_pipeline  # noqa: F401 (quiets TensorFlow's start-up before it is imported)
