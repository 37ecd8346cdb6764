"""Faithfulness: whether a picture of a bird shows what its caption says.

A classifier learns to read a bird's attributes (the colours of belly, wing and crown, its bill,
perch, direction, ...) from real renders of the training species; it then reads generated birds of
unseen species. Its score on real renders of unseen species is the upper limit.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from data_pipeline.dataset import Split
from data_pipeline.drawn.birds import COLOURS, PARTS
from data_pipeline.drawn.species import ATTRIBUTES
from data_pipeline.pixels import to_uint8
from data_pipeline.support.errors import UserError
from data_pipeline.support.files import writing_whole
from data_pipeline.support.progress import Progress
from data_pipeline.tfrecord import INFO_FILE

CHANCE = 1.0 / len(COLOURS)
TRAINING_PICTURES, EPOCHS, BATCH_SIZE = 12000, 8, 64
LARGEST = 64  # Pixels a side that the classifier sees at most.
LEARNING_RATE = 2e-3


def labels(attributes: Iterable[str]) -> dict[str, np.ndarray]:
    """What records' `attributes` (JSON texts) say: for each attribute, places in `ATTRIBUTES`.

    Returns:
        int `[N]` for each attribute that all records have.

    Raises:
        UserError: A record has no attributes; only drawn birds have them.
    """
    try:
        birds = [json.loads(text) for text in attributes]
        return {
            name: np.array([values.index(bird[name]) for bird in birds])
            for name, values in ATTRIBUTES.items()
            if name in PARTS or all(name in bird for bird in birds)
        }
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            "faithfulness needs the true attributes of the birds, which only data of "
            f"--source=synthetic holds (found {error})"
        ) from error


def faithfulness(
    read: Mapping[str, np.ndarray],
    truth: Mapping[str, np.ndarray],
    told: Sequence[Collection[str]],
) -> dict[str, float]:
    """Share of the pictures that were read as their captions say.

    Args:
        read: What was read from N pictures, int `[N]` by attribute.
        truth: What is so, in the same form.
        told: For each caption the attributes besides the colours that it tells.

    Returns:
        `faithfulness`, the mean over the parts' colours, and `faithfulness_<attribute>` over the
        pictures whose captions tell it, for each part and each attribute that a caption tells.
    """
    values = correct(read, truth, told)
    return {name: float(np.mean(own)) for name, own in values.items()}


def correct(
    read: Mapping[str, np.ndarray],
    truth: Mapping[str, np.ndarray],
    told: Sequence[Collection[str]],
) -> dict[str, np.ndarray]:
    """The values of the pictures, whose means `faithfulness` returns.

    Arguments are those of `faithfulness`.
    """
    values = {}
    for name in read:
        rows = [name in PARTS or name in names for names in told]
        if any(rows):
            values[f"faithfulness_{name}"] = (read[name] == truth[name])[rows]
    colours = [values[f"faithfulness_{part}"] for part in PARTS]
    return {"faithfulness": np.mean(colours, axis=0), **values}


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


class Reader:
    """A classifier that reads attributes of birds, with the same first weights at every call.

    In training, the images are moved, blurred, made noisy and changed in light, because the network
    must read generated birds by their looks and not by the sharpness of their feathers.

    Args:
        names: The attributes to read, some of `ATTRIBUTES`.
        image_size: S, a power of two of at least 16.

    Attributes:
        names: The attributes.
        size: S.
        model: The `keras.Model`: uint8 pictures `[B, S, S, 3]` to logits of all values of all
            attributes, side by side.
    """

    def __init__(self, names: Sequence[str], image_size: int):
        self.names = tuple(names)
        self.size = image_size
        ends = np.cumsum([len(ATTRIBUTES[name]) for name in names])
        self._starts = dict(zip(self.names, [0, *ends[:-1]], strict=True))
        self.model = self._build(image_size, int(ends[-1]))

    def _build(self, image_size, units):
        keras.utils.set_random_seed(0)
        layers = keras.layers
        light = {"value_range": (-1.0, 1.0)}
        widths = [min(16 * 2**i, 64) for i in range((image_size // 8).bit_length() - 1)]
        return keras.Sequential(
            [
                keras.Input((image_size, image_size, 3), dtype="uint8"),
                layers.Rescaling(1 / 127.5, -1.0),
                layers.RandomTranslation(0.06, 0.06, fill_mode="nearest", seed=0),
                Blur(seed=1),
                layers.RandomBrightness(0.08, **light, seed=2),
                layers.RandomContrast(0.15, **light, seed=3),
                layers.GaussianNoise(0.08, seed=4),
                *(layers.Conv2D(f, 3, 2, "same", activation="relu") for f in widths),
                layers.Flatten(),
                layers.Dropout(0.2, seed=5),
                layers.Dense(128, activation="relu"),
                layers.Dense(units),
            ],
            name="bird_reader",
        )

    def fit(
        self, pictures: np.ndarray, truth: Mapping[str, np.ndarray], epochs: int | None = None
    ) -> None:
        """Trains the classifier on real renders, with a progress bar.

        Args:
            pictures: uint8 `[N, S, S, 3]`.
            truth: What they show, see `labels`.
            epochs: Passes over the pictures; by default `EPOCHS`.
        """
        epochs = epochs or EPOCHS
        steps = epochs * -(-len(pictures) // BATCH_SIZE)
        decay = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
        self.model.compile(keras.optimizers.Adam(decay), self._loss)
        with Progress(steps, "classifier steps") as progress:
            count = keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda batch, logs: progress.update()
            )
            self.model.fit(
                pictures,
                np.stack([truth[name] for name in self.names], axis=1),
                epochs=epochs,
                batch_size=BATCH_SIZE,
                verbose=0,
                callbacks=[count],
            )

    def _loss(self, truth, logits):
        losses = [
            keras.losses.sparse_categorical_crossentropy(truth[:, i], own, from_logits=True)
            for i, own in enumerate(self._divided(logits))
        ]
        return sum(losses) / len(losses)

    def _divided(self, logits):
        for name, start in self._starts.items():
            yield logits[:, start : start + len(ATTRIBUTES[name])]

    def __call__(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """What the classifier reads, int `[N]` by attribute, from uint8 pictures `[N, H, W, 3]`.

        Pictures of another size than the classifier's are resized.
        """
        size = self.size
        logits = []
        for start in range(0, len(pictures), BATCH_SIZE):
            batch = tf.convert_to_tensor(pictures[start : start + BATCH_SIZE])
            if batch.shape[1:3] != (size, size):
                batch = tf.cast(
                    tf.round(tf.image.resize(batch, (size, size), antialias=True)), tf.uint8
                )
            logits.append(self.model(batch, training=False))
        own = self._divided(np.concatenate(logits))
        return {name: np.argmax(o, axis=1) for name, o in zip(self.names, own, strict=True)}


def load_or_train_reader(data_dir: str | Path, image_size: int, folder: str | Path) -> Reader:
    """The reader for a data set: loaded from `folder`, or trained and kept there.

    Args:
        data_dir: Data set with attributes; the reader learns from its training split.
        image_size: Side of the pictures to read; the reader sees them at `LARGEST` px at most.
        folder: Where the weights are kept, under a name that identifies the data set.

    Raises:
        UserError: The data set has no attributes.
    """
    size = min(image_size, LARGEST)
    digest = hashlib.sha256((Path(data_dir) / INFO_FILE).read_bytes()).hexdigest()[:12]
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder) / f"bird_reader_{size}px_{digest}.weights.h5"
    split = Split(data_dir, "train")
    truth = labels(stored_attributes(split, TRAINING_PICTURES))
    reader = Reader([name for name, own in truth.items() if len(np.unique(own)) > 1], size)
    if path.is_file():
        reader.model.load_weights(path)
        return reader
    reader.fit(real_pictures(split, size, TRAINING_PICTURES), truth)
    with writing_whole(path) as partial:
        reader.model.save_weights(partial)
    return reader


def real_pictures(split: Split, image_size: int, count: int) -> np.ndarray:
    """The first pictures of a split, uint8 `[N, S, S, 3]`, centrally cropped."""
    batches = split.eval_batches(batch_size=BATCH_SIZE, image_sizes=[image_size], max_words=1)
    pictures = [to_uint8(batch["images"][0]) for batch in batches.take(-(-count // BATCH_SIZE))]
    return np.concatenate(pictures)[:count]


def stored_attributes(split: Split, count: int) -> list[str]:
    """The attributes (JSON texts) of the first records of a split."""
    records = zip(range(count), split.examples(), strict=False)
    return [record["attributes"].decode() for _, record in records]
