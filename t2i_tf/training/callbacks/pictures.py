"""Pictures: sample grids, and where the generator and DAMSM look for each word."""

from collections.abc import Sequence

import keras
import numpy as np
from PIL import Image

from data_pipeline.pixels import to_float, to_uint8
from t2i_tf.models.images import attention_strip, grid, save_png, stack
from t2i_tf.models.text_to_image import TextToImage, repeated
from t2i_tf.models.word_regions import word_regions
from t2i_tf.training.callbacks.base import Watcher, writing
from t2i_tf.training.callbacks.board import Board
from t2i_tf.training.callbacks.examples import Examples

ATTENDED = 4  # captions whose attention is shown
TILE, COLUMNS = 128, 7  # of an attention strip, which fits TensorBoard's width at actual size


class SampleGrid(Watcher):
    """Draws fixed captions with fixed seeds.

    TensorBoard gets a grid of each stage's pictures, one row per caption; the last stage's grid is
    also a file in `samples/` of the run's folder. For the first captions, TensorBoard also gets
    what each attention stage looks at.

    Args:
        board: The run's `Board`.
        model: Draws, with the averaged generator.
        examples: The captions.
        seeds: Number of seeds per caption.
        every: Intervals between two grids.
    """

    def __init__(
        self, board: Board, model: TextToImage, examples: Examples, seeds: int, every: int = 1
    ):
        super().__init__(every)
        self.board = board
        self.model = model
        self.folder = board.workdir / "samples"
        self.tokens, self.seeds = repeated(examples.tokens, seeds, 0)
        self.words = examples.words[:ATTENDED]
        self.columns = seeds
        self.attended = slice(0, len(self.words) * seeds, seeds)  # the first seed of each caption

    def look(self, step: int) -> dict[str, float]:
        images, attention = self.model.draw_stages(self.tokens, self.seeds)
        for stage, pictures in enumerate(images, start=self.model.network.generator.first_image):
            picture = grid(pictures.reshape(-1, self.columns, *pictures.shape[1:]))
            self.board.image(step, f"samples/stage_{stage}", picture)
        path = self.folder / f"step_{step:07d}.png"
        with writing(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            save_png(path, picture)
        for stage, maps in enumerate(attention, start=1):
            sheet = attention_sheet(pictures[self.attended], maps[self.attended], self.words)
            self.board.image(step, f"attention/stage_{stage}", sheet)
        return {}


class WordRegions(Watcher):
    """Shows in which regions of a picture DAMSM finds each word of its caption (AttnGAN, eq. 8).

    Args:
        board: The run's `Board`.
        text_encoder: DAMSM's.
        image_encoder: DAMSM's.
        examples: The captions with their pictures.
        gamma1: DAMSM's, the sharpness of that attention.
        every: Intervals between two sheets.
        model: Draws the pictures, each from seed 0; None shows the real ones.
    """

    def __init__(
        self,
        board: Board,
        text_encoder: keras.Model,
        image_encoder: keras.Model,
        examples: Examples,
        gamma1: float,
        every: int = 1,
        model: TextToImage | None = None,
    ):
        super().__init__(every)
        self.board = board
        self.examples = examples[:ATTENDED]
        self._attention = word_regions(text_encoder, image_encoder, gamma1)
        self.model = model

    def look(self, step: int) -> dict[str, float]:
        tokens, images = self.examples.tokens, to_uint8(self.examples.images).numpy()
        if self.model:
            seeds = np.zeros(len(tokens), np.int64)
            images = np.stack([picture for picture, _ in self.model.draw(tokens, seeds)])
        maps = self._attention(tokens, to_float(images)).numpy()
        sheet = attention_sheet(images, maps, self.examples.words)
        self.board.image(step, "damsm/word_regions", sheet)
        return {}


def attention_sheet(
    images: np.ndarray, maps: np.ndarray, words: Sequence[Sequence[str]]
) -> np.ndarray:
    """Strips of several pictures, one below the other.

    Args:
        images: uint8 `[N, H, W, 3]`; larger ones are shown at `TILE` pixels per side.
        maps: `[N, h, w, T]`.
        words: The words of each picture's caption.

    Returns:
        uint8 `[height, width, 3]`.
    """
    strips = []
    for image, attention, caption in zip(images, maps, words, strict=True):
        if len(image) > TILE:
            image = np.asarray(Image.fromarray(image).resize((TILE, TILE), Image.Resampling.BOX))
        strips.append(np.asarray(attention_strip(image, attention, caption, COLUMNS)))
    return stack(strips)
