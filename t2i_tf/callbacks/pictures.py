"""Pictures: sample grids, and where the generator and DAMSM look for each word."""

import numpy as np
import tensorflow as tf
from PIL import Image

from t2i_tf.attention import word_region_attention
from t2i_tf.callbacks.base import PeriodicCallback, writing
from t2i_tf.callbacks.board import Board
from t2i_tf.callbacks.examples import Examples
from t2i_tf.images import attention_strip, grid, save_png, stack
from t2i_tf.text_to_image import TextToImage, to_uint8

ATTENDED = 4  # captions whose attention is shown
TILE, COLUMNS = 128, 7  # of an attention strip, which fits TensorBoard's width at actual size


class SampleGrid(PeriodicCallback):
    """Draws fixed captions with fixed seeds by the averaged generator, every few intervals.

    Each stage's pictures are a grid of a caption a row, the last stage's also a file in `samples/`
    of the run's folder. Below, for the first captions, what each attention stage looks at.

    Args:
        board: The run's `Board`.
        examples: The captions.
        seeds: How many seeds a caption.
        interval: Steps an epoch.
        every: Epochs between two grids.
    """

    def __init__(self, board: Board, examples: Examples, seeds, interval, every=1):
        super().__init__(interval, every)
        self.board = board
        self.folder = board.workdir / "samples"
        self.tokens = np.repeat(examples.tokens, seeds, axis=0)
        self.seeds = np.tile(np.arange(seeds, dtype=np.int64), len(examples))
        self.words = examples.words[:ATTENDED]
        self.columns = seeds
        self.attended = slice(0, len(self.words) * seeds, seeds)  # the first seed of each caption

    def on_train_begin(self, logs=None):
        self.folder.mkdir(parents=True, exist_ok=True)
        network = TextToImage(self.model.text_encoder, self.model.ema_generator)

        @tf.function
        def draw(tokens, seeds):
            drawn = network(tokens, seeds)
            maps = [tf.cast(a[self.attended], tf.float32) for a in drawn["attention"]]
            return [to_uint8(i) for i in drawn["images"]], maps

        self._draw = draw

    def act(self, step, logs):
        images, attention = tf.nest.map_structure(np.asarray, self._draw(self.tokens, self.seeds))
        for stage, pictures in enumerate(images, start=self.model.generator.first_image):
            picture = grid(pictures.reshape(-1, self.columns, *pictures.shape[1:]))
            self.board.image(step, f"samples/stage_{stage}", picture)
        path = self.folder / f"step_{step:07d}.png"
        with writing(path):
            save_png(path, picture)
        for stage, maps in enumerate(attention, start=1):
            sheet = attention_sheet(pictures[self.attended], maps, self.words)
            self.board.image(step, f"attention/stage_{stage}", sheet)


class WordRegions(PeriodicCallback):
    """Shows in which regions of a picture DAMSM finds each word of its caption (AttnGAN, eq. 8).

    Args:
        board: The run's `Board`.
        examples: The captions with their pictures.
        gamma1: DAMSM's, the sharpness of that attention.
        interval: Steps an epoch.
        every: Epochs between two sheets.
        drawn: Whether the averaged generator draws the pictures, each from seed 0, instead of the
            real ones.
    """

    def __init__(self, board: Board, examples: Examples, gamma1, interval, every=1, drawn=False):
        super().__init__(interval, every)
        self.board = board
        self.examples = examples[:ATTENDED]
        self.gamma1 = gamma1
        self.drawn = drawn

    def on_train_begin(self, logs=None):
        text_encoder, image_encoder = self.model.text_encoder, self.model.image_encoder
        tokens, gamma1 = self.examples.tokens, self.gamma1
        network = TextToImage(text_encoder, self.model.ema_generator) if self.drawn else None
        rows = np.arange(len(tokens))

        @tf.function
        def look():
            images = tf.constant(self.examples.images)
            if self.drawn:
                images = network(tokens, np.zeros(len(tokens), np.int64))["images"][-1]
            words, _ = text_encoder(tokens)
            regions, _ = image_encoder(images)
            _, height, width, units = regions.shape
            regions = tf.cast(tf.reshape(regions, [-1, height * width, units]), tf.float32)
            _, attention = word_region_attention(words, regions, tokens != 0, gamma1)
            own = tf.gather_nd(attention, np.stack([rows, rows], axis=1))  # [N, T, regions]
            maps = tf.reshape(own, [len(rows), -1, height, width])
            return to_uint8(images), tf.transpose(maps, [0, 2, 3, 1])

        self._look = look

    def act(self, step, logs):
        images, maps = (t.numpy() for t in self._look())
        self.board.image(
            step, "damsm/word_regions", attention_sheet(images, maps, self.examples.words)
        )


def attention_sheet(images, maps, words):
    """Strips of several pictures, one below the other.

    Args:
        images: uint8 `[N, H, W, 3]`; larger ones are shown at `TILE` pixels a side.
        maps: `[N, h, w, T]`.
        words: For each picture its caption's words.

    Returns:
        uint8 `[height, width, 3]`.
    """
    strips = []
    for image, attention, caption in zip(images, maps, words, strict=True):
        if len(image) > TILE:
            image = np.asarray(Image.fromarray(image).resize((TILE, TILE), Image.Resampling.BOX))
        strips.append(np.asarray(attention_strip(image, attention, caption, COLUMNS)))
    return stack(strips)
