"""Exports a model directory for phones: a LiteRT (TFLite) file for each way to store its numbers.

    python -m export.tflite --model_dir=<model> --output_dir=phone

writes phone/text_to_image_<variant>.tflite of one signature, `generate_from_noise`:

    tokens  int32 [1, T]      ids of the caption's words, 0 after the last; T is the most it reads
    noise   float32 [1, Z]    standard normal
    image   uint8 [1, H, W, 3]

    float32    the weights as they are
    float16    weights of 16 bits; computes in float32
    dynamic    weights of 8 bits; activations are rounded to 8 bits as they come
    int8       weights and activations of 8 bits, whose range sample captions have shown

No op beyond the built-in ones is needed. A zip archive within each file holds vocabulary.txt and
the model's config.json and README.md; TFLite's metadata describes all of it. Each file's pictures
are compared with Keras' when it is written: phone/text_to_image.md, and .json for programs.
"""

import dataclasses
import json
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import flags

from data_pipeline.errors import UserError, run
from data_pipeline.files import write_text
from export import tflite_compare, tflite_metadata, tflite_samples
from export.tflite_convert import VARIANTS, convert
from t2i_tf import __version__, model_directory
from t2i_tf.text_to_image import TextToImage, to_uint8

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
) -> list[tflite_compare.Measured]:
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
        raise UserError(f"--quantize={','.join(quantize)}: choose of {', '.join(VARIANTS)}")
    if output_dir.exists() and not output_dir.is_dir():
        raise UserError(f"--output_dir={output_dir} is a file")
    earlier = sorted(output_dir.glob(f"{STEM}*"))
    if earlier and not overwrite:
        raise UserError(f"{earlier[0]} exists already: give another --output_dir or --overwrite")
    model = model_directory.load(model_dir)
    compared, calibrating = tflite_samples.samples(model, captions_file)
    partial = output_dir / f".{STEM}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        variants = [variant for variant in VARIANTS if variant in quantize]
        _convert_apart(model_dir, variants, partial, calibrating)
        rows = list(_finish(model, model_directory.find(model_dir), variants, partial, compared))
        rows = [dataclasses.replace(row, path=output_dir / row.path.name) for row in rows]
        _write_table(model.config.name, rows, partial)
        for path in earlier:
            path.unlink()
        for path in partial.iterdir():
            os.replace(path, output_dir / path.name)
    finally:
        shutil.rmtree(partial)
    return rows


def _convert_apart(model_dir, variants, folder, samples):
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=_silence) as pool:
        try:
            pool.submit(convert, model_dir, variants, folder, samples).result()
        except BrokenProcessPool as error:
            raise UserError(
                f"the TFLite converter crashed on {', '.join(variants)}: try them one by one"
            ) from error


def _silence():
    """Drops what the converter writes past Python's logging."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _finish(model, directory, variants, folder, samples):
    """Adds metadata to what was converted and compares it."""
    tokens, noise = samples
    network = TextToImage(model.text_encoder, model.generator)
    draw = tf.function(lambda *inputs: to_uint8(network.from_noise(*inputs)["images"][-1]))
    expected = np.concatenate(
        [draw(tokens[i : i + 1], noise[i : i + 1]) for i in range(len(tokens))]
    )
    metadata = _describe(model, expected.shape[1:3])
    files = {
        name: (directory / name).read_text(encoding="utf-8")
        for name in (model_directory.VOCABULARY, model_directory.CONFIG, model_directory.CARD)
        if (directory / name).is_file()
    }
    for variant in variants:
        converted = folder / f"{variant}.tflite"
        path = folder / f"{STEM}_{variant}.tflite"
        path.write_bytes(tflite_metadata.attach(converted.read_bytes(), metadata, files))
        converted.unlink()
        yield tflite_compare.measure(variant, path, tokens, noise, expected)


def _describe(model, size):
    height, width = size
    max_words, noise_dim = model.config.data.max_words, model.generator.noise_dim
    part = tflite_metadata.associated_file
    vocabulary = part(
        model_directory.VOCABULARY,
        "one word a line, line number (from 0) = id",
        tflite_metadata.VOCABULARY,
    )
    return tflite_metadata.model(
        name=model.config.name,
        description=f"Draws a picture of {width} x {height} px from a caption.",
        version=__version__,
        license="README.md within tells whose the weights are; the code is under the MIT License.",
        inputs={
            "tokens": tflite_metadata.features(
                "tokens",
                f"ids of the caption's words, at most {max_words}, 0 after the last; words that "
                f"the vocabulary lacks are left out",
                low=0,
                high=len(model.vocabulary) - 1,
                files=[vocabulary],
            ),
            "noise": tflite_metadata.features("noise", f"{noise_dim} standard normal numbers"),
        },
        outputs={"image": tflite_metadata.image("image", "the picture, 0 to 255", height, width)},
        files=[
            part(model_directory.CONFIG, "sizes and training", tflite_metadata.DESCRIPTIONS),
            part(model_directory.CARD, "the model card", tflite_metadata.DESCRIPTIONS),
        ],
    )


def _write_table(name, rows, folder):
    text = tflite_compare.table(rows)
    text = _TABLE.format(name=name, count=tflite_samples.COMPARED, cores=os.cpu_count(), table=text)
    write_text(folder / f"{STEM}.md", text)
    entries = [dataclasses.asdict(row) | {"path": row.path.name} for row in rows]
    write_text(folder / f"{STEM}.json", json.dumps(entries, indent=2) + "\n")


def main(_):
    """Exports what the flags name."""
    options = flags.FLAGS
    rows = export(
        options.model_dir,
        options.output_dir,
        options.quantize,
        options.overwrite,
        options.captions_file,
    )
    print(tflite_compare.table(rows))
    print(f"The files are in {options.output_dir}")


if __name__ == "__main__":
    flags.DEFINE_string("model_dir", str(model_directory.BUNDLED), "Model directory.")
    flags.DEFINE_string("output_dir", None, "Folder for the files.", required=True)
    flags.DEFINE_list("quantize", list(VARIANTS), "Which files to write.")
    flags.DEFINE_boolean("overwrite", False, "Whether an earlier export may be replaced.")
    flags.DEFINE_string("captions_file", None, "Captions like the app's; default: of birds.")
    run(main)
