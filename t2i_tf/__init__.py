"""Attentional text-to-image GANs (AttnGAN and its family) in TensorFlow and Keras."""

__version__ = "0.1.0"
