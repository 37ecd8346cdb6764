"""Attentional text-to-image GANs (AttnGAN and its family) in TensorFlow and Keras."""

from data_pipeline import quiet

__version__ = "0.1.0"

quiet.import_tensorflow()
