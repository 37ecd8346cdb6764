"""Writes the TFLite files of a model, each with its metadata and compared with Keras."""

import dataclasses
import json
import os
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from data_pipeline.support.errors import UserError
from data_pipeline.support.files import write_text
from data_pipeline.support.pool import process_pool
from data_pipeline.support.scratch import scratch
from data_pipeline.support.version import VERSION
from export.tflite import measuring, metadata
from export.tflite.convert import VARIANTS, convert
from export.tflite.measuring import Measured
from export.tflite.samples import COMPARED, samples
from t2i_tf.models import model_directory
from t2i_tf.models.text_to_image import TextToImage

STEM = "text_to_image"

_TABLE = """# {name} for LiteRT

Compared with Keras' pictures of {count} captions: differences in levels of 0 to 255, and the median
time of a picture on the {cores} cores of the machine that wrote them.

{table}
"""


def export(
    model_dir: str | Path,
    output_dir: str | Path,
    quantize: Sequence[str] = VARIANTS,
    overwrite: bool = False,
    captions_file: str | Path | None = None,
) -> list[Measured]:
    """Writes a model as TFLite files and compares each with Keras; all files or none.

    Args:
        model_dir: A model directory with a generator.
        output_dir: Folder for the files.
        quantize: Which of `VARIANTS`.
        overwrite: Whether an earlier export in the folder may be replaced.
        captions_file: One caption a line, like those that the app will draw, for int8's ranges and
            for the comparison. By default captions of drawn birds in words of the vocabulary.

    Returns:
        Each file and how it compares, in the order of `VARIANTS`.

    Raises:
        UserError: A variant is unknown, `model_dir` is no model directory, its parts do not fit
            together, or `output_dir` is a file or holds an export.
    """
    output_dir = Path(output_dir)
    unknown = [variant for variant in quantize if variant not in VARIANTS]
    if unknown or not quantize:
        raise UserError(f"no variants {','.join(quantize)!r}: choose of {', '.join(VARIANTS)}")
    if output_dir.exists() and not output_dir.is_dir():
        raise UserError(f"{output_dir} is a file: give a folder")
    earlier = sorted(output_dir.glob(f"{STEM}*"))
    if earlier and not overwrite:
        raise UserError(f"{earlier[0]} exists already: give another folder, or overwrite it")
    model = model_directory.load(model_dir)
    compared, calibrating = samples(model, captions_file)
    variants = [variant for variant in VARIANTS if variant in quantize]
    with scratch(output_dir / STEM, "partial") as folder:
        _convert_apart(model_dir, variants, folder, calibrating)
        rows = list(_finish(model, model_directory.find(model_dir), variants, folder, compared))
        rows = [dataclasses.replace(row, path=output_dir / row.path.name) for row in rows]
        _write_table(model.config.name, rows, folder)
        for path in earlier:
            path.unlink()
        for path in folder.iterdir():
            os.replace(path, output_dir / path.name)
    return rows


def _convert_apart(model_dir, variants, folder, calibrating):
    with process_pool(1) as pool:
        try:
            pool.submit(_convert_silently, model_dir, variants, folder, calibrating).result()
        except BrokenProcessPool as error:
            raise UserError(
                f"the TFLite converter crashed on {', '.join(variants)}: try them one by one"
            ) from error


def _convert_silently(*arguments):
    """Keeps the converter's native messages from the terminal."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    convert(*arguments)


def _finish(model, directory, variants, folder, compared):
    """Adds metadata to the converted files and compares them."""
    tokens, noise = compared
    expected = TextToImage(model).draw_from_noise(tokens, noise)
    description = _describe(model, expected.shape[1:3])
    files = {
        name: (directory / name).read_text(encoding="utf-8")
        for name in (model_directory.VOCABULARY, model_directory.CONFIG, model_directory.CARD)
        if (directory / name).is_file()
    }
    for variant in variants:
        converted = folder / f"{variant}.tflite"
        path = folder / f"{STEM}_{variant}.tflite"
        path.write_bytes(metadata.attach(converted.read_bytes(), description, files))
        converted.unlink()
        yield measuring.measure(variant, path, tokens, noise, expected)


def _describe(model, size):
    height, width = size
    max_words, noise_dim = model.config.data.max_words, model.generator.noise_dim
    part = metadata.associated_file
    vocabulary = part(
        model_directory.VOCABULARY,
        f"one token a line, line number (from 0) = id; tokenizer: {model.vocabulary.tokenizer}",
        metadata.VOCABULARY,
    )
    return metadata.model(
        name=model.config.name,
        description=f"Draws a picture of {width} x {height} px from a caption.",
        version=VERSION,
        license="README.md within tells whose the weights are; the code is under the MIT License.",
        inputs={
            "tokens": metadata.features(
                "tokens",
                f"ids of the caption's words, at most {max_words}, 0 after the last; words that "
                f"the vocabulary lacks are left out",
                low=0,
                high=len(model.vocabulary) - 1,
                files=[vocabulary],
            ),
            "noise": metadata.features("noise", f"{noise_dim} standard normal numbers"),
        },
        outputs={"image": metadata.image("image", "the picture, 0 to 255", height, width)},
        files=[
            part(model_directory.CONFIG, "sizes and training", metadata.DESCRIPTIONS),
            part(model_directory.CARD, "the model card", metadata.DESCRIPTIONS),
        ],
    )


def _write_table(name, rows, folder):
    text = measuring.table(rows)
    text = _TABLE.format(name=name, count=COMPARED, cores=os.cpu_count(), table=text)
    write_text(folder / f"{STEM}.md", text)
    entries = [dataclasses.asdict(row) | {"path": row.path.name} for row in rows]
    write_text(folder / f"{STEM}.json", json.dumps(entries, indent=2) + "\n")
