"""Draws pictures from captions.

    python -m t2i_tf.generate --text="a small red bird with black wings" --output_dir=pictures

Without --model_dir the model that comes with the package draws. Each caption gets --num_images
pictures with the seeds --seed, --seed + 1, ...; the same caption and seed give the same picture.
Pictures are numbered on from those that the folder holds already, so that none is overwritten.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import flags

from data_pipeline.errors import UserError, run
from t2i_tf import captions, model_directory
from t2i_tf.images import attention_strip, save_png
from t2i_tf.picture_names import first_free_number, picture_name
from t2i_tf.text_to_image import TextToImage, to_uint8

BATCH_SIZE = 8


def generate(
    model: model_directory.ModelDirectory,
    texts: Sequence[str],
    output_dir: str | Path,
    num_images: int = 1,
    seed: int = 0,
    attention: bool = False,
) -> Iterator[Path]:
    """Draws `num_images` pictures of each caption and yields the files as they are written.

    Captions that are not read whole are named in a warning on stderr.

    Args:
        model: A model with a generator.
        texts: The captions.
        output_dir: Folder for the pictures; made if need be.
        num_images: Pictures for each caption.
        seed: Seed of each caption's first picture, the next has the next.
        attention: Also write where the last stage looks for each word.

    Raises:
        UserError: A caption has no known word, or the folder cannot be made; nothing is written.
    """
    encoded = captions.encode(texts, model.vocabulary, model.config.data.max_words)
    for warning in encoded.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    folder = Path(output_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output_dir={folder} cannot be made: {error.strerror}") from error
    rows = np.repeat(np.arange(len(texts)), num_images)
    seeds = seed + np.tile(np.arange(num_images, dtype=np.int64), len(texts))
    pictures = draw(model, encoded.tokens[rows], seeds)
    first = first_free_number(folder)
    for i, (image, maps) in enumerate(pictures):
        text = texts[rows[i]]
        stem = folder / picture_name(first + i, text, seeds[i])
        path = stem.with_name(f"{stem.name}.png")
        save_png(path, image, text)
        yield path
        if attention and maps is not None:
            path = stem.with_name(f"{stem.name}_attention.png")
            save_png(path, attention_strip(image, maps, encoded.words[rows[i]]), text)
            yield path


def draw(
    model: model_directory.ModelDirectory,
    tokens: np.ndarray,
    seeds: np.ndarray,
    batch_size: int = BATCH_SIZE,
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Draws one picture a row, in batches.

    Args:
        model: A model with a generator.
        tokens: int32 `[N, T]`, 0 after the last word; at least one word a row.
        seeds: int64 `[N]`.
        batch_size: Rows a batch.

    Yields:
        The last stage's image, uint8 `[H, W, 3]`, and its attention `[h, w, T]` (None where the
        generator has one stage only).
    """
    network = TextToImage(model.text_encoder, model.generator)
    signature = [tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int64)]

    @tf.function(input_signature=signature)
    def last_stage(tokens, seeds):
        drawn = network(tokens, seeds)
        return to_uint8(drawn["images"][-1]), drawn["attention"][-1:]

    for start in range(0, len(tokens), batch_size):
        batch = slice(start, start + batch_size)
        images, attention = last_stage(tokens[batch], seeds[batch])
        maps = attention[0].numpy() if attention else [None] * len(images)
        yield from zip(images.numpy(), maps, strict=True)


def main(arguments):
    """Generates what the flags ask for."""
    if len(arguments) > 1:
        raise UserError(
            f"unexpected argument {arguments[1]!r}: a caption goes in quotes after --text="
        )
    options = flags.FLAGS
    texts = list(options.text)
    if options.captions_file:
        texts += captions.read_file(options.captions_file)
    if not texts:
        raise UserError('nothing to draw: give --text="..." or --captions_file=')
    model = model_directory.load(options.model_dir)
    for path in generate(
        model, texts, options.output_dir, options.num_images, options.seed, options.attention
    ):
        print(path)


if __name__ == "__main__":
    flags.DEFINE_string("model_dir", str(model_directory.BUNDLED), "Model directory.")
    flags.DEFINE_multi_string("text", [], "A caption; may be given several times.")
    flags.DEFINE_string("captions_file", None, "UTF-8 text file of one caption a line.")
    flags.DEFINE_integer("num_images", 1, "Pictures of each caption.", lower_bound=1)
    flags.DEFINE_integer(
        "seed", 0, "Seed of each caption's first picture.", lower_bound=0, upper_bound=2**62
    )
    flags.DEFINE_boolean("attention", False, "Also show where the last stage looks for each word.")
    flags.DEFINE_string("output_dir", None, "Folder for the pictures.", required=True)
    run(main)
