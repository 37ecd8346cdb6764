"""Attentional text-to-image GANs (AttnGAN and its family) in TensorFlow and Keras."""

import data_pipeline  # noqa: F401 (quiets TensorFlow's start-up before it is imported)

__version__ = "0.1.0"
