"""Attentional text-to-image GANs (AttnGAN and its family) in TensorFlow and Keras.

import t2i_tf
model = t2i_tf.TextToImage.from_preset("bundled")
pictures = model.generate("a small red bird with black wings", num_images=4)
"""

import importlib

from data_pipeline.support.version import VERSION as __version__

__all__ = ["TextToImage", "UserError", "__version__"]

# TensorFlow takes seconds to import, so the names that need it are imported on first use.
_PLACES = {
    "TextToImage": "t2i_tf.models.text_to_image",
    "UserError": "data_pipeline.support.errors",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
