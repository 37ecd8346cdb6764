"""Checkpoints of TF-slim's Inception v3, read into Keras' network.

The names are those of the slim library of 2016 (tensorflow/models, inception/slim), in which the
networks behind the Inception Scores of CUB and Oxford-102 were fine-tuned.
"""

import collections
import re
from pathlib import Path

import keras
import tensorflow as tf

from data_pipeline.pixels import to_float
from data_pipeline.support.errors import UserError
from data_pipeline.support.hashing import file_sha256
from t2i_tf.metrics.features import Extractor, bilinear_resize, compiled, softmax
from t2i_tf.networks.image_encoder import INCEPTION_BLOCKS, INCEPTION_SIZE

# slim's scopes of torchvision's blocks.
_SCOPES = {
    "5b": "mixed_35x35x256a",
    "5c": "mixed_35x35x288a",
    "5d": "mixed_35x35x288b",
    "6a": "mixed_17x17x768a",
    "6b": "mixed_17x17x768b",
    "6c": "mixed_17x17x768c",
    "6d": "mixed_17x17x768d",
    "6e": "mixed_17x17x768e",
    "7a": "mixed_17x17x1280a",
    "7b": "mixed_8x8x2048a",
    "7c": "mixed_8x8x2048b",
}


def slim_checkpoint(path: str | Path) -> Extractor:
    """Inception v3 fine-tuned with TF-slim, such as StackGAN's on birds (Zhang et al., 2017).

    The moving averages of all weights are read; logit 0 stands for the background and is dropped.
    As in the published code, resized pictures are rounded, and pictures that do not fill a batch of
    64 are left out.

    Args:
        path: The checkpoint, as its saver was given it (without `.index`).

    Raises:
        UserError: The file is no such checkpoint.
    """
    path = Path(path)
    try:
        reader = tf.train.load_checkpoint(str(path))
    except (tf.errors.OpError, ValueError) as error:
        raise UserError(
            f"{path} is no TensorFlow checkpoint: {str(error).splitlines()[0]}"
        ) from error
    shapes = reader.get_variable_to_shape_map()
    head = shapes.get(_averaged("logits/logits/biases"))
    if head is None:
        raise UserError(
            f"{path} is no Inception v3 of TF-slim with moving averages: it lacks "
            f"{_averaged('logits/logits/biases')}"
        )
    classes = head[0] - 1
    network = keras.applications.InceptionV3(
        weights=None, classes=classes + 1, classifier_activation=None
    )
    targets = _slim_variables(network)
    wrong = [name for name, v in targets.items() if shapes.get(name) != list(v.shape)]
    if wrong:
        raise UserError(
            f"{path} is no Inception v3 of TF-slim: {len(wrong)} of {len(targets)} "
            f"variables are missing or misshapen, the first is {wrong[0]}"
        )
    for name, variable in targets.items():
        variable.assign(reader.get_tensor(name))
    parts = sorted(path.parent.glob(f"{path.name}.data-*"))  # none in the format before 2017
    files = [path.with_name(f"{path.name}.index"), *parts] if parts else [path]
    outputs = [network.get_layer("avg_pool").output, network.output[:, 1:]]
    run = compiled(keras.Model(network.input, outputs))

    def forward(images):
        features, logits = run(to_float(bilinear_resize(images, INCEPTION_SIZE)))
        return features, softmax(logits)

    return Extractor(
        scale="slim",
        name=f"Inception v3 fine-tuned to {classes} classes (TF-slim)",
        weights=path.name,
        sha256=file_sha256(*files),
        resize="Pillow bilinear to 299, antialiased, rounded",
        dim=outputs[0].shape[-1],
        classes=classes,
        forward=forward,
        batch_multiple=64,
    )


def _slim_variables(network):
    """The variables of Keras' Inception v3 by their averages' names in TF-slim's checkpoints."""
    scopes = [f"conv{i}" for i in range(5)]
    for blocks, branches in INCEPTION_BLOCKS.items():
        for block in blocks.split():
            counts = collections.Counter()
            for branch in branches.split():  # "3x3dbl_3a" is a convolution of "branch3x3dbl".
                name = f"{_SCOPES[block]}/branch{re.sub(r'_[0-9].*', '', branch)}/Conv"
                scopes.append(f"{name}_{counts[name]}" if counts[name] else name)
                counts[name] += 1
    variables = {}
    convolutions = _created(network, keras.layers.Conv2D)
    norms = _created(network, keras.layers.BatchNormalization)
    for scope, convolution, norm in zip(scopes, convolutions, norms, strict=True):
        variables[f"{scope}/weights"] = convolution.kernel
        for name in ("beta", "moving_mean", "moving_variance"):
            variables[f"{scope}/BatchNorm/{name}"] = getattr(norm, name)
    head = network.get_layer("predictions")
    variables |= {"logits/logits/weights": head.kernel, "logits/logits/biases": head.bias}
    return {_averaged(name): variable for name, variable in variables.items()}


def _averaged(name):
    return f"{name}/ExponentialMovingAverage"


def _created(network, kind):
    """Layers of a kind in the order of their creation: conv2d, conv2d_9, conv2d_10."""
    layers = [layer for layer in network.layers if isinstance(layer, kind)]
    return sorted(layers, key=lambda layer: (len(layer.name), layer.name))
