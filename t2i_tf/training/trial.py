"""Runs a few training steps on random data, to see whether a machine trains, and how fast."""

import time
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from t2i_tf.networks import build
from t2i_tf.networks.generator import Generator
from t2i_tf.training.build import build_attngan
from t2i_tf.training.machinery import replicas

VOCABULARY = 100


def random_batch(config: ConfigDict, vocabulary_size: int = VOCABULARY) -> dict:
    """Makes a global batch as `Split.train_batches` does, of random images and captions.

    Args:
        config: Of a GAN, or of a DAMSM.
        vocabulary_size: Number of token ids.
    """
    image_sizes = (config.data.image_size,)
    if "generator" in config:
        image_sizes = Generator(**config.generator).image_sizes
    rng = np.random.default_rng(0)
    rows, words = config.train.batch_size, config.data.max_words
    lengths = rng.integers(min(6, words), words + 1, [rows, 1])
    tokens = rng.integers(1, vocabulary_size, [rows, words], "int32")
    tokens *= np.arange(words) < lengths
    images = (rng.uniform(-1, 1, [rows, side, side, 3]) for side in image_sizes)
    batch = {
        "images": tuple(image.astype("float32") for image in images),
        "tokens": tokens,
        "class_id": np.arange(rows, dtype="int32"),
        "index": np.arange(rows),
    }
    if config.data.exchange_words:
        batch["wrong_tokens"] = np.roll(tokens, 1, axis=1)
    return batch


def train(config: ConfigDict, steps: int) -> tuple[list[float], Mapping[str, float]]:
    """Trains a GAN for a few steps under the strategy in scope.

    Args:
        config: The config of a GAN whose image encoder needs no download.
        steps: Number of steps.

    Returns:
        The seconds of each step, the first with its compilation, and the last step's figures.
    """
    strategy, own = tf.distribute.get_strategy(), config.train.batch_size // replicas.count()
    worker, workers = replicas.worker()
    encoders = build.text_encoder(config, VOCABULARY), build.image_encoder(config, False)
    model = build_attngan(config, encoders)
    rows = random_batch(config)
    share = config.train.batch_size // workers

    def of_worker(_):
        mine = tf.nest.map_structure(lambda t: t[worker * share : (worker + 1) * share], rows)
        data = tf.data.Dataset.from_tensor_slices(mine)
        return data.batch(own, drop_remainder=True).repeat()

    data = of_worker(None)
    if replicas.count() > 1:
        data = strategy.distribute_datasets_from_function(of_worker)
    model.make_train_function()
    batches, seconds = iter(data), []
    for _ in range(steps):
        start = time.perf_counter()
        figures = {name: float(np.mean(v)) for name, v in model.train_function(batches).items()}
        seconds.append(time.perf_counter() - start)
    return seconds, figures
