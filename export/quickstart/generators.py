"""The generators that the report compares: exported ones, and one of random weights."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from data_pipeline.support.errors import UserError
from data_pipeline.support.progress import Progress
from t2i_tf.models.captions import encode
from t2i_tf.models.model_directory import ModelDirectory
from t2i_tf.models.text_to_image import TextToImage
from t2i_tf.networks import build

BATCH_SIZE = 40


class SavedGenerator:
    """A SavedModel of `export.saved_model`, called through its signatures.

    Args:
        directory: A version's folder, or the folder of all versions for the newest.
        progress: Counts the pictures drawn.

    Raises:
        UserError: There is no SavedModel.
    """

    def __init__(self, directory: str | Path, progress: Progress):
        self.path = _newest_version(Path(directory))
        self._loaded = tf.saved_model.load(str(self.path))
        self._progress = progress

    def generate(self, captions: Sequence[str], seeds: np.ndarray) -> np.ndarray:
        """Draws pictures of captions, uint8 `[N, H, W, 3]`."""
        batches = self._call("generate", captions, seeds)
        return np.concatenate([batch["image"] for batch in batches])

    def explain(
        self, captions: Sequence[str], seeds: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, list[str]]]:
        """Yields each caption's picture, its last stage's attention `[h, w, T]` and its words."""
        for batch in self._call("explain", captions, seeds):
            pictures = batch[max(key for key in batch if key.startswith("image_"))].numpy()
            maps = batch[max(key for key in batch if key.startswith("attention_"))].numpy()
            for picture, attention, tokens in zip(
                pictures, maps, batch["tokens"].numpy(), strict=True
            ):
                yield picture, attention, [word.decode() for word in tokens if word]

    def _call(self, signature, captions, seeds):
        seeds = np.asarray(seeds, np.int64)
        for start in range(0, len(captions), BATCH_SIZE):
            texts = tf.constant(captions[start : start + BATCH_SIZE])
            batch_seeds = tf.constant(seeds[start : start + BATCH_SIZE])
            yield self._loaded.signatures[signature](text=texts, seed=batch_seeds)
            self._progress.update(len(batch_seeds))


class Untrained:
    """A generator of random weights behind trained encoders, used as a `SavedGenerator`.

    Args:
        model: The model whose encoders and sizes to take.
        progress: Counts the pictures drawn.
    """

    def __init__(self, model: ModelDirectory, progress: Progress):
        keras.utils.set_random_seed(model.config.seed)
        random = build.generator(model.config)
        self._model = TextToImage(dataclasses.replace(model, generator=random))
        self._progress = progress

    def generate(self, captions: Sequence[str], seeds: np.ndarray) -> np.ndarray:
        """Draws pictures of captions, uint8 `[N, H, W, 3]`."""
        max_words = self._model.config.data.max_words
        tokens = encode(captions, self._model.vocabulary, max_words).tokens
        pictures = []
        for picture, _ in self._model.draw(tokens, np.asarray(seeds, np.int64)):
            pictures.append(picture)
            self._progress.update()
        return np.stack(pictures)


def _newest_version(directory):
    versions = [path for path in directory.glob("*") if path.name.isdecimal()]
    newest = max(versions, key=lambda path: int(path.name), default=directory)
    path = directory if (directory / "saved_model.pb").is_file() else newest
    if not (path / "saved_model.pb").is_file():
        raise UserError(f"{directory} holds no SavedModel: write one with export.saved_model")
    return path
