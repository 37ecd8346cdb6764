"""Draws pictures from captions; commands, metrics, exports and users all take this one path."""

import dataclasses
import functools
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from data_pipeline.pixels import to_float, to_uint8
from data_pipeline.support.errors import UserError
from t2i_tf.models import captions, model_directory
from t2i_tf.models.model_directory import ModelDirectory
from t2i_tf.models.tokens_to_image import TokensToImage

BATCH_SIZE = 8
LARGEST_SEED = 2**62


@dataclasses.dataclass(frozen=True)
class Explanation:
    """The steps by which a picture was drawn.

    Attributes:
        images: Every stage's picture, uint8 `[H, W, 3]`, the smallest first.
        attention: What each attention stage looks at, float32 `[h, w, T]`: sums to one over the
            words at each place.
        words: The T words that were read.
        unknown_words: Words of the caption that the model does not know; they were left out.
    """

    images: list[np.ndarray]
    attention: list[np.ndarray]
    words: list[str]
    unknown_words: list[str]


class TextToImage:
    """Draws pictures from captions.

    Example:

            model = TextToImage.from_preset("bundled")
            pictures = model.generate("a small red bird with black wings", num_images=4)

    Args:
        model: A model with a generator. Changes to its weights show in the next picture.

    Attributes:
        config: The model's config.
        vocabulary: Its `Vocabulary`.
        network: The `TokensToImage`.
    """

    def __init__(self, model: ModelDirectory):
        self.config = model.config
        self.vocabulary = model.vocabulary
        self.network = TokensToImage(model.text_encoder, model.generator)
        self._image_encoder = model.image_encoder
        self._directory: Path | None = None

    @classmethod
    def from_preset(cls, preset: str | Path, max_words: int | None = None) -> "TextToImage":
        """Loads a model.

        Args:
            preset: `"bundled"`, the model that comes with the package; a model directory; or the
                folder of a training run.
            max_words: Words that are read of a caption, the first ones; by default as many as in
                training.

        Raises:
            UserError: There is no such model, or it has no generator.
        """
        model = cls(model_directory.load(preset, need=("generator",), max_words=max_words))
        model._directory = model_directory.find(preset)
        return model

    @property
    def image_size(self) -> int:
        """Side of the pictures, in pixels."""
        return self.config.data.image_size

    def generate(
        self,
        texts: str | Sequence[str],
        num_images: int = 1,
        seed: int = 0,
        batch_size: int = BATCH_SIZE,
    ) -> np.ndarray:
        """Draws pictures; the same caption and seed give the same picture.

        In batches of other sizes, a few values differ by one level of 255, for sums are rounded in
        another order; `batch_size=1` gives the same bits however many are drawn.

        Words that the model does not know are left out, with a warning that names them.

        Args:
            texts: A caption, or N captions.
            num_images: n, pictures of each caption.
            seed: Seed of each caption's first picture; it goes up by 1 for each further one.
            batch_size: Pictures that are drawn at once.

        Returns:
            uint8 `[n, H, W, 3]` of one caption, `[N, n, H, W, 3]` of a list.

        Raises:
            UserError: The model knows no word of a caption.
            ValueError: A number is out of its range.
            TypeError: A caption is no text.
        """
        for name, value in (("num_images", num_images), ("batch_size", batch_size)):
            if value != int(value) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value}")
        if seed != int(seed) or not 0 <= seed <= LARGEST_SEED:
            raise ValueError(f"seed must be a whole number of 0 to 2**62, got {seed}")
        encoded = self._read(texts)
        tokens, seeds = repeated(encoded.tokens, num_images, seed)
        pictures = [picture for picture, _ in self.draw(tokens, seeds, batch_size)]
        size = self.image_size
        shape = (len(encoded.tokens), num_images, size, size, 3)
        pictures = np.array(pictures, np.uint8).reshape(shape)
        return pictures[0] if isinstance(texts, str) else pictures

    def explain(self, text: str, seed: int = 0, truncation: float = 1.0) -> Explanation:
        """Draws one picture and shows how: every stage, and where each one looked for each word.

        Raises:
            UserError: The model knows no word of the caption.
        """
        encoded = captions.encode([text], self.vocabulary, self.config.data.max_words)
        seeds = np.array([seed], np.int64)
        images, attention = self.draw_stages(encoded.tokens, seeds, truncation)
        words = encoded.words[0]
        return Explanation(
            images=[image[0] for image in images],
            attention=[maps[0, ..., : len(words)] for maps in attention],
            words=words,
            unknown_words=self.vocabulary.encode(text)[1],
        )

    def interpolate(
        self, first: str, last: str, steps: int = 8, seed: int = 0, truncation: float = 1.0
    ) -> np.ndarray:
        """Draws the way from one caption to another, with the noise of one seed.

        Returns:
            uint8 `[steps, H, W, 3]`; the first and the last picture are those of the captions.

        Raises:
            UserError: The model knows no word of a caption.
        """
        tokens = self._read([first, last]).tokens
        shares = np.linspace(0.0, 1.0, steps, dtype=np.float32)
        batches = np.split(shares, range(BATCH_SIZE, steps, BATCH_SIZE))
        drawn = [self._between(tokens, batch, seed, truncation) for batch in batches]
        return np.concatenate(drawn)

    def interpolate_seeds(
        self, text: str, first: int, last: int, steps: int = 8, truncation: float = 1.0
    ) -> np.ndarray:
        """Draws the way from one seed's noise to another's, for one caption.

        Returns:
            uint8 `[steps, H, W, 3]`; the first and the last picture are those of the seeds.

        Raises:
            UserError: The model knows no word of the caption.
        """
        tokens, seeds = self._read(text).tokens, np.array([first, last], np.int64)
        shares = np.linspace(0.0, 1.0, steps, dtype=np.float32)
        batches = np.split(shares, range(BATCH_SIZE, steps, BATCH_SIZE))
        drawn = [self._between_seeds(tokens, batch, seeds, truncation) for batch in batches]
        return np.concatenate(drawn)

    def encode_text(self, texts: str | Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """DAMSM's features of N captions.

        Returns:
            Words float32 `[N, T, E]`, sentences float32 `[N, E]`, and mask bool `[N, T]`, True at
            real words. T is the most words that the model reads.

        Raises:
            UserError: The model knows no word of a caption.
        """
        tokens = self._read(texts).tokens
        rows = len(tokens)
        some = tokens if rows else np.ones([1, tokens.shape[1]], np.int32)  # None would not run.
        words, sentences = self.network.text_encoder(some)
        return np.asarray(words)[:rows], np.asarray(sentences)[:rows], tokens != 0

    def similarity(self, pictures: np.ndarray, texts: str | Sequence[str]) -> np.ndarray:
        """How well pictures and captions match: the cosine of DAMSM's codes, as in R-precision.

        Args:
            pictures: uint8 `[N, H, W, 3]`.
            texts: M captions, or one.

        Returns:
            float32 `[N, M]` within [-1, 1].

        Raises:
            UserError: The model has no image encoder, or knows no word of a caption.
        """
        pictures = np.asarray(pictures)
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[-1] != 3:
            raise ValueError(
                "pictures must be uint8 [N, H, W, 3] (one picture: picture[None]), got "
                f"{pictures.dtype} {list(pictures.shape)}"
            )
        _, sentences, _ = self.encode_text(texts)
        codes = np.asarray(self.image_encoder(to_float(pictures))[1])
        codes, sentences = (
            vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-8)
            for vectors in (codes, sentences)
        )
        return codes @ sentences.T

    @property
    def image_encoder(self) -> keras.Model:
        """DAMSM's `ImageEncoder`, loaded on first use.

        Raises:
            UserError: The model has none.
        """
        if self._image_encoder is None:
            if self._directory is None:
                raise UserError("the model has no image encoder, which compares pictures and texts")
            loaded = model_directory.load(self._directory, need=("image_encoder",))
            self._image_encoder = loaded.image_encoder
        return self._image_encoder

    def draw(
        self,
        tokens: np.ndarray,
        seeds: np.ndarray,
        batch_size: int = BATCH_SIZE,
        truncation: float = 1.0,
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Draws one picture per row of token ids, in batches.

        Args:
            tokens: int32 `[N, T]`, 0 after the last word; at least one word per row.
            seeds: int64 `[N]`.
            batch_size: Rows per batch.
            truncation: See `TokensToImage.call`.

        Yields:
            The last stage's picture, uint8 `[H, W, 3]`, and its attention `[h, w, T]` (None where
            the generator has no stage that attends to words).
        """
        for start in range(0, len(tokens), batch_size):
            batch = slice(start, start + batch_size)
            pictures, attention = self.last_stage(tokens[batch], seeds[batch], truncation)
            maps = attention[0].numpy() if attention else [None] * len(pictures)
            yield from zip(pictures.numpy(), maps, strict=True)

    def draw_stages(
        self, tokens: np.ndarray, seeds: np.ndarray, truncation: float = 1.0
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Draws one picture per row of token ids, all at once, at every stage.

        Returns:
            The pictures of each stage, uint8 `[N, H, W, 3]`, and the attention of each stage that
            attends to words, float32 `[N, h, w, T]`.
        """
        return tf.nest.map_structure(np.asarray, self._stages(tokens, seeds, truncation))

    def draw_from_noise(self, tokens: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Draws one picture per row of token ids, one by one, see `TokensToImage.from_noise`.

        Args:
            tokens: int32 `[N, T]`.
            noise: float32 `[N, Z]`.

        Returns:
            uint8 `[N, H, W, 3]`.
        """
        rows = [self._from_noise(tokens[i : i + 1], noise[i : i + 1]) for i in range(len(tokens))]
        return np.concatenate(rows)

    @functools.cached_property
    def last_stage(self) -> tf.types.experimental.PolymorphicFunction:
        """The graph of `draw`: of tokens `[B, T]`, seeds `[B]` and truncation."""

        @tf.function(input_signature=_TOKENS_SEEDS_TRUNCATION)
        def draw(tokens, seeds, truncation):
            drawn = self.network(tokens, seeds, truncation)
            return to_uint8(drawn["images"][-1]), drawn["attention"][-1:]

        return draw

    @functools.cached_property
    def _stages(self):
        @tf.function(input_signature=_TOKENS_SEEDS_TRUNCATION)
        def draw(tokens, seeds, truncation):
            drawn = self.network(tokens, seeds, truncation)
            images = [to_uint8(image) for image in drawn["images"]]
            return images, [tf.cast(maps, tf.float32) for maps in drawn["attention"]]

        return draw

    @functools.cached_property
    def _between(self):
        spec = tf.TensorSpec

        @tf.function(
            input_signature=[
                *(spec([2, None], tf.int32), spec([None], tf.float32)),
                *(spec([], tf.int64), spec([], tf.float32)),
            ]
        )
        def draw(tokens, shares, seed, truncation):
            return to_uint8(self.network.between(tokens, shares, seed, truncation)["images"][-1])

        return draw

    @functools.cached_property
    def _between_seeds(self):
        @tf.function
        def draw(tokens, shares, seeds, truncation):
            drawn = self.network.between_seeds(tokens, shares, seeds, truncation)
            return to_uint8(drawn["images"][-1])

        return draw

    @functools.cached_property
    def _from_noise(self):
        @tf.function
        def draw(tokens, noise):
            return to_uint8(self.network.from_noise(tokens, noise)["images"][-1])

        return draw

    def _read(self, texts):
        texts = [texts] if isinstance(texts, str) else list(texts)
        if wrong := [text for text in texts if not isinstance(text, str)]:
            raise TypeError(f"a caption must be text, got {wrong[0]!r}")
        encoded = captions.encode(texts, self.vocabulary, self.config.data.max_words)
        for warning in encoded.warnings:
            warnings.warn(warning, stacklevel=3)
        return encoded


_TOKENS_SEEDS_TRUNCATION = [
    tf.TensorSpec([None, None], tf.int32),
    tf.TensorSpec([None], tf.int64),
    tf.TensorSpec([], tf.float32),
]


def repeated(tokens: np.ndarray, num_images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Repeats the row of each caption for `num_images` pictures, with seeds that count up.

    Args:
        tokens: `[N, T]`.
        num_images: n.
        seed: Seed of each caption's first picture.

    Returns:
        Tokens `[N * n, T]` and int64 seeds `[N * n]`.
    """
    seeds = seed + np.tile(np.arange(num_images, dtype=np.int64), len(tokens))
    return np.repeat(tokens, num_images, axis=0), seeds
