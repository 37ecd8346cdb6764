"""Faithfulness: whether each part of a bird has the colour that the caption says.

A small classifier learns to read the colours of belly, wing and crown from real renders of the
training species; it then reads generated birds of unseen species. By chance it is right one time in
nine; on real renders of unseen species it is nearly always right, which is the upper limit.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from data_pipeline.dataset import Split
from data_pipeline.drawn.birds import COLOURS, PARTS
from data_pipeline.pixels import to_float, to_uint8
from data_pipeline.support.errors import UserError
from data_pipeline.support.files import writing_whole
from data_pipeline.support.progress import Progress
from data_pipeline.tfrecord import INFO_FILE

NAMES = tuple(COLOURS)
CHANCE = 1.0 / len(NAMES)
TRAINING_PICTURES, EPOCHS, BATCH_SIZE = 4000, 8, 64
LEARNING_RATE = 2e-3


def colour_labels(attributes: Iterable[str]) -> np.ndarray:
    """The colours in records' `attributes` (JSON texts), int `[N, 3]` in order of `PARTS`.

    Raises:
        UserError: A record has no attributes; only drawn birds have them.
    """
    try:
        birds = [json.loads(text) for text in attributes]
        return np.array([[NAMES.index(bird[part]) for part in PARTS] for bird in birds])
    except (ValueError, KeyError) as error:
        raise UserError(
            "faithfulness needs the true colours of the birds, which only data of "
            f"--source=synthetic holds (found {error})"
        ) from error


def faithfulness(read: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Share of the parts that were read as the caption says.

    Args:
        read: Colours read from the pictures, int `[N, 3]` in order of `PARTS`.
        truth: Colours that the captions state, int `[N, 3]`.

    Returns:
        `faithfulness`, the mean over all parts, and `faithfulness_belly`, `_wing`, `_crown`.
    """
    right = np.mean(np.asarray(read) == np.asarray(truth), axis=0)
    parts = {f"faithfulness_{part}": float(r) for part, r in zip(PARTS, right, strict=True)}
    return {"faithfulness": float(right.mean()), **parts}


class Blur(keras.layers.Layer):
    """Mixes each image with its 3x3 mean, in a random share. Used in training only."""

    def __init__(self, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.random = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        if not training:
            return images
        blurred = ops.average_pool(images, 3, strides=1, padding="same")
        share = keras.random.uniform((ops.shape(images)[0], 1, 1, 1), seed=self.random)
        return images + share * (blurred - images)


def build_classifier(image_size: int) -> keras.Model:
    """A network that reads the colours of a bird's parts, with the same weights at every call.

    In training, the images are moved, blurred, made noisy and changed in light, because the network
    must read generated birds by their colours and not by the sharpness of their feathers.

    Args:
        image_size: S.

    Returns:
        A model of images `[B, S, S, 3]` in [-1, 1] that gives logits `[B, 3, 9]`.
    """
    keras.utils.set_random_seed(0)
    layers = keras.layers
    light = {"value_range": (-1.0, 1.0)}
    return keras.Sequential(
        [
            keras.Input((image_size, image_size, 3)),
            layers.RandomTranslation(0.06, 0.06, fill_mode="nearest", seed=0),
            Blur(seed=1),
            layers.RandomBrightness(0.08, **light, seed=2),
            layers.RandomContrast(0.15, **light, seed=3),
            layers.GaussianNoise(0.08, seed=4),
            *(layers.Conv2D(f, 3, 2, "same", activation="relu") for f in (16, 32, 64)),
            layers.Flatten(),
            layers.Dropout(0.2, seed=5),
            layers.Dense(128, activation="relu"),
            layers.Dense(len(PARTS) * len(NAMES)),
            layers.Reshape((len(PARTS), len(NAMES))),
        ],
        name="colour_classifier",
    )


def train_classifier(
    pictures: np.ndarray, colours: np.ndarray, epochs: int = EPOCHS
) -> keras.Model:
    """Trains a classifier on real renders, with a progress bar.

    Args:
        pictures: uint8 `[N, S, S, 3]`.
        colours: Their colours, int `[N, 3]`, see `colour_labels`.
        epochs: Passes over the pictures; the default takes half a minute on two cores.
    """
    classifier = build_classifier(pictures.shape[1])
    steps = epochs * -(-len(pictures) // BATCH_SIZE)
    decay = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    classifier.compile(
        keras.optimizers.Adam(decay),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    with Progress(steps, "classifier steps") as progress:
        count = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: progress.update()
        )
        classifier.fit(
            to_float(pictures).numpy(),
            colours,
            epochs=epochs,
            batch_size=BATCH_SIZE,
            verbose=0,
            callbacks=[count],
        )
    return classifier


def load_or_train_classifier(
    data_dir: str | Path, image_size: int, folder: str | Path
) -> keras.Model:
    """The classifier for a data set: read from `folder`, or trained and kept there.

    Args:
        data_dir: Data set with attributes; the classifier learns from its training split.
        image_size: S, the size of the pictures to read.
        folder: Where the weights are kept, under a name that identifies the data set.

    Raises:
        UserError: The data set has no attributes.
    """
    digest = hashlib.sha256((Path(data_dir) / INFO_FILE).read_bytes()).hexdigest()[:12]
    path = Path(folder) / f"colour_classifier_{image_size}px_{digest}.weights.h5"
    if path.is_file():
        classifier = build_classifier(image_size)
        classifier.load_weights(path)
        return classifier
    split = Split(data_dir, "train")
    pictures, attributes = real_pictures(split, image_size, TRAINING_PICTURES)
    classifier = train_classifier(pictures, colour_labels(attributes))
    with writing_whole(path) as partial:
        classifier.save_weights(partial)
    return classifier


def real_pictures(split: Split, image_size: int, count: int) -> tuple[np.ndarray, list[str]]:
    """The first pictures of a split, uint8 `[N, S, S, 3]`, centrally cropped, and attributes."""
    batches = split.eval_batches(batch_size=BATCH_SIZE, image_sizes=[image_size], max_words=1)
    pictures = [batch["images"][0] for batch in batches.take(-(-count // BATCH_SIZE))]
    pictures = to_uint8(np.concatenate(pictures)[:count]).numpy()
    records = zip(range(len(pictures)), split.examples(), strict=False)
    return pictures, [record["attributes"].decode() for _, record in records]


def read_colours(classifier: keras.Model, pictures: np.ndarray) -> np.ndarray:
    """The colours that the classifier reads, int `[N, 3]`, from uint8 pictures `[N, H, W, 3]`.

    Pictures of another size than the classifier's are resized.
    """
    size = classifier.input_shape[1]
    colours = []
    for start in range(0, len(pictures), BATCH_SIZE):
        images = to_float(pictures[start : start + BATCH_SIZE])
        if images.shape[1:3] != (size, size):
            images = tf.image.resize(images, (size, size), antialias=True)
        colours.append(np.argmax(classifier(images, training=False), axis=-1))
    return np.concatenate(colours)
