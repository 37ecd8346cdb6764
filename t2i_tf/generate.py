"""Draws pictures from captions.

    python -m t2i_tf.generate --text="a small red bird with black wings" --output_dir=pictures

Without --model_dir, the model that comes with the package draws. Each caption gets --num_images
pictures with the seeds --seed, --seed + 1, ...; the same caption and seed give the same picture
(drawn among another number of pictures, a few values may differ by one level of 255).
Numbering continues after the pictures that the folder already holds, so none is overwritten.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from absl import flags

from data_pipeline.support.errors import UserError, run
from t2i_tf.models import captions
from t2i_tf.models.images import attention_strip, save_png
from t2i_tf.models.names import first_free_number, picture_name
from t2i_tf.models.text_to_image import TextToImage, repeated


def write_pictures(
    model: TextToImage,
    texts: Sequence[str],
    output_dir: str | Path,
    num_images: int = 1,
    seed: int = 0,
    attention: bool = False,
) -> Iterator[Path]:
    """Draws `num_images` pictures of each caption and yields the files as they are written.

    A warning on stderr names each caption that is not read whole.

    Args:
        model: Draws the pictures.
        texts: The captions.
        output_dir: Folder for the pictures; created if necessary.
        num_images: Pictures for each caption.
        seed: Seed of each caption's first picture; it goes up by 1 for each further one.
        attention: Also write a picture of where the last stage looks for each word.

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
    tokens, seeds = repeated(encoded.tokens, num_images, seed)
    first = first_free_number(folder)
    for i, (picture, maps) in enumerate(model.draw(tokens, seeds)):
        row = i // num_images
        stem = folder / picture_name(first + i, texts[row], seeds[i])
        path = stem.with_name(f"{stem.name}.png")
        save_png(path, picture, texts[row])
        yield path
        if attention and maps is not None:
            path = stem.with_name(f"{stem.name}_attention.png")
            save_png(path, attention_strip(picture, maps, encoded.words[row]), texts[row])
            yield path


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("model_dir", "bundled", "Model directory, or a run's --workdir.")
    flags.DEFINE_multi_string("text", [], "A caption; may be given several times.")
    flags.DEFINE_string("captions_file", None, "UTF-8 text file of one caption per line.")
    flags.DEFINE_integer("num_images", 1, "Pictures of each caption.", lower_bound=1)
    flags.DEFINE_integer(
        "seed", 0, "Seed of each caption's first picture.", lower_bound=0, upper_bound=2**62
    )
    flags.DEFINE_integer(
        "max_words", None, "Words read of a caption; the model's own number if left out.", 1
    )
    flags.DEFINE_boolean("attention", False, "Also show where the last stage looks for each word.")
    flags.DEFINE_string("output_dir", None, "Folder for the pictures.", required=True)


def main(_: list[str]) -> None:
    """Draws what the flags ask for."""
    options = flags.FLAGS
    texts = list(options.text)
    if options.captions_file:
        texts += captions.read_file(options.captions_file)
    if not texts:
        raise UserError('nothing to draw: give --text="..." or --captions_file=')
    model = TextToImage.from_preset(options.model_dir, options.max_words)
    for path in write_pictures(
        model, texts, options.output_dir, options.num_images, options.seed, options.attention
    ):
        print(path)


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
