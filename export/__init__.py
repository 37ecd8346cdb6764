"""From a model directory to a product: SavedModels, files for phones, a server and its client."""

import data_pipeline  # noqa: F401 - it keeps TensorFlow's start-up lines from the terminal
