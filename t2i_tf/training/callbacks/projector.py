"""TensorBoard's embedding projector: captions and pictures as points in DAMSM's space."""

import textwrap

import keras
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tensorboard.plugins import projector

from data_pipeline.pixels import to_uint8
from data_pipeline.support.files import write_text
from t2i_tf.metrics.r_precision import picture_codes
from t2i_tf.models.images import save_png
from t2i_tf.models.text_to_image import TextToImage
from t2i_tf.training.callbacks.base import Watcher, writing
from t2i_tf.training.callbacks.board import Board
from t2i_tf.training.callbacks.examples import Examples

THUMBNAIL = 64  # pixels a side
PAPER, INK = (255, 244, 200), (40, 40, 40)


class Projector(Watcher):
    """Puts captions, their pictures and, in a GAN, drawn pictures into TensorBoard's projector.

    Points are unit vectors, so their distances agree with the cosine that DAMSM learns. The files
    in `projector/` of the run's folder always hold the last projection.

    Args:
        board: The run's `Board`.
        text_encoder: DAMSM's.
        image_encoder: DAMSM's.
        examples: Captions with their real pictures.
        every: Intervals between two projections.
        model: Also draws each caption, from seed 0; None leaves that out.
    """

    def __init__(
        self,
        board: Board,
        text_encoder: keras.Model,
        image_encoder: keras.Model,
        examples: Examples,
        every: int = 1,
        model: TextToImage | None = None,
    ):
        super().__init__(every)
        self.board = board
        self.text_encoder = text_encoder
        self.image_encoder = image_encoder
        self.examples = examples
        self.model = model
        folder = board.workdir / "projector"
        self.tensors, self.metadata, self.sprite = (
            folder / name for name in ("tensors.tsv", "metadata.tsv", "sprite.png")
        )

    def look(self, step: int) -> dict[str, float]:
        tokens = self.examples.tokens
        texts = [" ".join(words) for words in self.examples.words]
        pictures = {"picture": to_uint8(self.examples.images).numpy()}
        if self.model:
            drawn = self.model.draw(tokens, np.zeros(len(tokens), np.int64))
            pictures["drawn"] = np.stack([picture for picture, _ in drawn])
        _, sentences = self.text_encoder(tokens)
        codes = [picture_codes(self.image_encoder, p) for p in pictures.values()]
        points = np.concatenate([np.asarray(sentences), *codes]).astype(np.float64)
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        tiles = [_tile(text) for text in texts]
        tiles += [_thumbnail(image) for group in pictures.values() for image in group]
        with writing(self.tensors.parent):
            self.tensors.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.tensors, _table([f"{x:.5f}" for x in point] for point in points))
            rows = [["caption", "kind", "class"]]
            for kind in ("caption", *pictures):
                rows += zip(texts, [kind] * len(texts), self.examples.classes, strict=True)
            write_text(self.metadata, _table(rows))
            save_png(self.sprite, sprite(tiles))
            self._configure()
        return {}

    def _configure(self):
        config = projector.ProjectorConfig()
        folder = self.tensors.parent.name
        embedding = config.embeddings.add(
            tensor_name="DAMSM",
            tensor_path=f"{folder}/{self.tensors.name}",
            metadata_path=f"{folder}/{self.metadata.name}",
        )
        embedding.sprite.image_path = f"{folder}/{self.sprite.name}"
        embedding.sprite.single_image_dim.extend([THUMBNAIL, THUMBNAIL])
        projector.visualize_embeddings(str(self.board.workdir), config)


def sprite(tiles: list[Image.Image]) -> Image.Image:
    """All tiles in one square picture, row by row, as the projector expects them."""
    columns = int(np.ceil(np.sqrt(len(tiles))))
    sheet = Image.new("RGB", (columns * THUMBNAIL, columns * THUMBNAIL))
    for i, tile in enumerate(tiles):
        sheet.paste(tile, (i % columns * THUMBNAIL, i // columns * THUMBNAIL))
    return sheet


def _thumbnail(image):
    return Image.fromarray(image).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)


def _tile(text):
    """A caption as a picture; text that does not fit is cut."""
    tile = Image.new("RGB", (THUMBNAIL, THUMBNAIL), PAPER)
    lines = textwrap.wrap(text, 12)[:6]
    font = ImageFont.load_default(9)
    draw = ImageDraw.Draw(tile)
    draw.rectangle((0, 0, THUMBNAIL - 1, THUMBNAIL - 1), outline=INK)
    draw.multiline_text((3, 3), "\n".join(lines), fill=INK, font=font, spacing=1)
    return tile


def _table(rows):
    return "".join("\t".join(row) + "\n" for row in rows)
