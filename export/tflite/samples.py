"""Makes captions and noise like those that a model is going to see."""

from pathlib import Path

import numpy as np

from data_pipeline.drawn import captions as bird_captions
from data_pipeline.drawn import species
from t2i_tf.models import captions
from t2i_tf.models.model_directory import ModelDirectory

COMPARED, CALIBRATING = 32, 64  # captions
FEWEST_WORDS = 3


def samples(
    model: ModelDirectory, captions_file: str | Path | None
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Makes samples to compare with and others to calibrate with.

    Their captions differ if there are enough. Every second caption to calibrate with is cut short,
    at any length: users write short ones too.

    Args:
        model: A model with a generator.
        captions_file: One caption a line; None for captions of drawn birds.

    Returns:
        Twice (token ids int32 `[N, T]`, noise float32 `[N, Z]`), of 32 and of 64 captions.
    """
    rng = np.random.default_rng(0)
    max_words, count = model.config.data.max_words, COMPARED + CALIBRATING
    if captions_file:
        texts = captions.read_file(captions_file)
        tokens = captions.encode(texts, model.vocabulary, max_words).tokens
    else:
        tokens = _bird_tokens(model.vocabulary, max_words, count, rng)
    tokens = np.resize(tokens, (count, max_words))
    noise = rng.normal(size=(count, model.generator.noise_dim)).astype(np.float32)
    compared, calibrating = tokens[:COMPARED], tokens[COMPARED:].copy()
    for row in range(0, CALIBRATING, 2):
        calibrating[row, 1 + row // 2 % max_words :] = 0
    return (compared, noise[:COMPARED]), (calibrating, noise[COMPARED:])


def _bird_tokens(vocabulary, max_words, count, rng):
    """Ids of bird captions; of random words where the vocabulary is about other things."""
    pictures, _ = species.plan(count, count, None, seed=0, variety="full")
    tokens = np.zeros((count, max_words), np.int32)
    for row, picture in zip(tokens, pictures, strict=False):
        ids, _ = vocabulary.encode(bird_captions.captions(picture.attributes, rng, 1)[0])
        if len(ids) < FEWEST_WORDS:
            ids = rng.integers(1, len(vocabulary), rng.integers(1, max_words + 1))
        ids = ids[:max_words]
        row[: len(ids)] = ids
    return tokens
