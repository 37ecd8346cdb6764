"""CLIP as a judge of pictures and captions (Radford et al., 2021), from keras-hub.

`pip install -r requirements-clip.txt` brings keras-hub, which is imported here only when asked for.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from data_pipeline.support.errors import UserError
from t2i_tf.metrics.features import Extractor
from t2i_tf.metrics.real import Judge

NAME, BATCH_SIZE = "CLIP", 32


def judge(source: str | Path) -> Judge:
    """Loads CLIP.

    Args:
        source: A keras-hub preset, such as `clip_vit_base_patch32`, or a folder that keras-hub's
            `save_to_preset` wrote, with tokenizer and image converter.

    Raises:
        UserError: keras-hub is not installed, or the preset cannot be loaded.
    """
    try:
        import keras_hub
    except ImportError as error:
        raise UserError("CLIP needs keras-hub: pip install -r requirements-clip.txt") from error
    models, layers = keras_hub.models, keras_hub.layers
    try:
        backbone = models.CLIPBackbone.from_preset(str(source))
        preprocessor = models.CLIPPreprocessor.from_preset(str(source))
        converter = layers.CLIPImageConverter.from_preset(str(source))
    except Exception as error:  # keras-hub and its downloaders raise any class.
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{source} is no CLIP that keras-hub can load: {reason}") from error
    size = converter.image_size

    @tf.function
    def encode_images(images):
        return backbone.get_vision_embeddings(converter(images))

    @tf.function
    def encode_texts(tokens):
        return backbone.get_text_embeddings(tokens)

    def sentences(texts: Sequence[str]) -> np.ndarray:
        read = preprocessor({"prompts": tf.constant(list(texts)), "images": None})
        tokens = np.asarray(read["token_ids"])
        batches = range(0, len(tokens), BATCH_SIZE)
        return np.concatenate([encode_texts(tokens[i : i + BATCH_SIZE]) for i in batches])

    extractor = Extractor(
        scale="clip",
        name="CLIP (keras-hub)",
        weights=str(source),
        sha256=_fingerprint(backbone),
        resize=f"keras-hub's {converter.interpolation} to {size[0]}",
        dim=backbone.projection_dim,
        classes=0,
        forward=lambda images: (np.asarray(encode_images(images)), None),
    )
    return Judge(NAME, extractor, sentences)


def _fingerprint(network: keras.Model) -> str:
    """SHA-256 of a network's weights."""
    digest = hashlib.sha256()
    for weight in network.get_weights():
        digest.update(weight.tobytes())
    return digest.hexdigest()
