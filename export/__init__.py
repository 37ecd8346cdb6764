"""From a model directory to what is shipped; wraps t2i_tf."""

import t2i_tf  # noqa: F401 (imports TensorFlow without its start-up lines, before a module does)
