"""What is slow, measured, as ratios in one run."""

import t2i_tf  # noqa: F401 (imports TensorFlow without its start-up lines, before a module does)
