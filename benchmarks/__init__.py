"""Measures what takes time, as ratios within one run."""

import data_pipeline  # noqa: F401 - it keeps TensorFlow's start-up lines from the terminal
