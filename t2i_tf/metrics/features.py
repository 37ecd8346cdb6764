"""The interface of networks that score pictures, and ways to resize pictures for them."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from t2i_tf.networks.image_encoder import INCEPTION_SIZE

Outputs = tuple[np.ndarray, np.ndarray | None]


@dataclasses.dataclass(frozen=True)
class Extractor:
    """A network that reads features and classes from pictures.

    Figures are comparable only with figures of the same extractor: another network, other weights
    and even another way to resize give another scale. An extractor therefore holds everything that
    a report must state.

    Attributes:
        scale: A word that marks every figure.
        name: Which network.
        weights: The file of its weights.
        sha256: That file's SHA-256.
        resize: How pictures are brought to the network's size and range, in words.
        dim: D, features of a picture.
        classes: K, 0 for a network that knows none.
        forward: Maps uint8 pictures `[B, H, W, 3]` to features `[B, D]` and class probabilities
            `[B, K]`, or None where K is 0.
        batch_multiple: Inception Scores leave out the last pictures beyond a multiple of this, as
            published code that only runs full batches does.
    """

    scale: str
    name: str
    weights: str
    sha256: str
    resize: str
    dim: int
    classes: int
    forward: Callable[[np.ndarray], Outputs]
    batch_multiple: int = 1

    def __call__(self, images: np.ndarray) -> Outputs:
        """Features and class probabilities of uint8 pictures, see `forward`."""
        return self.forward(images)


def clean_resize(images: np.ndarray, size: int) -> np.ndarray:
    """Resizes as clean-fid (Parmar et al., 2022): bicubic, antialiased, never rounded.

    Args:
        images: uint8 `[B, H, W, 3]`.
        size: Side in pixels.

    Returns:
        float32 `[B, size, size, 3]` within [0, 255].
    """
    resized = np.empty((len(images), size, size, 3), np.float32)
    for image, target in zip(images, resized, strict=True):
        for channel in range(3):
            plane = Image.fromarray(image[:, :, channel].astype(np.float32))
            target[:, :, channel] = plane.resize((size, size), Image.Resampling.BICUBIC)
    return np.clip(resized, 0.0, 255.0, out=resized)


def bilinear_resize(images: np.ndarray, size: int) -> np.ndarray:
    """Resizes as Pillow does: bilinear, antialiased, rounded to whole numbers.

    Args:
        images: uint8 `[B, H, W, 3]`.
        size: Side in pixels.

    Returns:
        uint8 `[B, size, size, 3]`.
    """
    bilinear = Image.Resampling.BILINEAR
    return np.stack([Image.fromarray(i).resize((size, size), bilinear) for i in images])


def compiled(network: keras.Model) -> Callable[[np.ndarray], list[np.ndarray]]:
    """The network as one graph for all batches of float32 pictures `[B, 299, 299, 3]`."""
    signature = [tf.TensorSpec([None, INCEPTION_SIZE, INCEPTION_SIZE, 3], tf.float32)]
    graph = tf.function(lambda images: network(images, training=False), input_signature=signature)
    return lambda images: [output.numpy() for output in tf.nest.flatten(graph(images))]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities `[B, K]` from logits."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
