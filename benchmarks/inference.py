"""Speed, memory and size of a model that draws: Keras, SavedModels and the four TFLite files.

    python -m benchmarks.inference --config=configs/cub_attngan2.py --batch=1,8

draws with the preset's random weights, `--model_dir=` with a trained model. Each variant has a
process of its own; its calls take turns with a large float32 convolution, so that
`fraction_of_peak` compares the two as the machine was during the run. Its numerator counts an image
as the papers write it down, whatever the code saves, and the peak is float32's for bfloat16 and
int8 too. TFLite files draw one image at a time. Last of all comes a line of JSON for each variant
and batch.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
from absl import flags
from ml_collections import ConfigDict

from benchmarks.drawing import FORMS
from benchmarks.flops import nominal_image_flops
from data_pipeline.support.errors import UserError, run
from data_pipeline.text.vocabulary import END, Vocabulary
from export import saved_model, tflite
from t2i_tf.models import model_directory
from t2i_tf.networks import build
from t2i_tf.training.flags import define_config
from t2i_tf.training.machinery.speed import LargeConvolution

SAVED_MODELS = {"saved_model": "float32", "saved_model_bfloat16": "bfloat16"}
VARIANTS = ("keras", *SAVED_MODELS, *(f"tflite_{name}" for name in tflite.VARIANTS))

VOCABULARY, WARM_UP = 5450, 3
ROOT = Path(__file__).parents[1]
DRAWING = ROOT / "benchmarks" / "drawing.py"


def define_flags() -> None:
    """Defines the command's flags."""
    define_config()
    flags.DEFINE_string("model_dir", None, "A model to draw with instead.")
    flags.DEFINE_list("batch", ["1", "8"], "Images a call.")
    flags.DEFINE_integer("steps", 20, "Timed calls of each.", 2)
    flags.DEFINE_list("variants", list(VARIANTS), f"Of {', '.join(VARIANTS)}.")


def main(_: list[str]) -> None:
    """Measures the variants and prints a line for each."""
    options = flags.FLAGS
    if bool(options.config) == bool(options.model_dir):
        raise UserError("give either --config=<a preset> or --model_dir=<a model>")
    if unknown := set(options.variants) - set(VARIANTS):
        raise UserError(f"--variants: {', '.join(unknown)} is none of {', '.join(VARIANTS)}")
    if not all(batch.isdecimal() and int(batch) for batch in options.batch):
        raise UserError(f"--batch={','.join(options.batch)}: give numbers of images, with commas")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        if options.model_dir:
            directory = model_directory.find(options.model_dir).resolve()
        else:
            directory = random_model(folder / "model", options.config)
        variants = [variant for variant in VARIANTS if variant in options.variants]
        paths = files(directory, folder, variants)
        results = measure(directory, paths, list(map(int, options.batch)), options.steps)
    for result in results:
        memory = result.pop("memory_mb")
        print(
            f"{result['variant']:20} batch {result['batch']:2}  "
            f"{result['median_s']:.4f} s, 95 % within {result['p95_s']:.4f} s  "
            f"{result['images_per_second']:6.2f} images a second  "
            f"{result['fraction_of_peak']:.3f} of the peak  "
            f"{memory:5.0f} MB held  {result['size_mb']:.1f} MB on disk"
        )
    for result in results:
        print(json.dumps(result))


def random_model(directory: Path, config: ConfigDict) -> Path:
    """Writes a model directory of a preset's networks as they are before training."""
    keras.utils.set_random_seed(config.seed)
    vocabulary = Vocabulary([END, *(f"word{i}" for i in range(1, VOCABULARY))])
    encoder = build.text_encoder(config, len(vocabulary))
    model = model_directory.ModelDirectory(
        config, vocabulary, encoder, generator=build.generator(config)
    )
    model_directory.save(directory, model, f"# {config.name}, untrained\n")
    return directory


def measure(
    directory: Path, paths: dict[str, Path], batches: list[int], steps: int
) -> list[dict[str, str | float]]:
    """Times every variant; returns a dict of figures for each and each batch, in seconds and MB.

    Args:
        directory: The model.
        paths: Where each variant lies.
        batches: Images a call.
        steps: Timed calls of each.
    """
    model = model_directory.load(directory)
    caption = " ".join(model.vocabulary.words[1 : 1 + model.config.data.max_words])
    ids = ",".join(map(str, model.vocabulary.encode(caption)[0]))
    image_flops = nominal_image_flops(model.config, model.text_encoder)
    convolution = LargeConvolution()
    results, rates = [], []
    for variant, path in paths.items():
        form = next(form for form in FORMS if variant.startswith(form))
        with answering(DRAWING, form, str(path), caption, ids) as draw:
            for batch in [1] if form == "tflite" else batches:
                for _ in range(WARM_UP):
                    draw(batch)
                turns = [(draw(batch), convolution.rate()) for _ in range(steps)]
                seconds = [answer["seconds"] for answer, _ in turns]
                median = statistics.median(seconds)
                peak = statistics.median(rate for _, rate in turns)
                rates.append(peak)
                results.append(
                    {
                        "variant": variant,
                        "batch": batch,
                        "median_s": median,
                        "p95_s": float(np.percentile(seconds, 95)),
                        "images_per_second": batch / median,
                        "fraction_of_peak": batch * image_flops / median / peak,
                        "size_mb": size(path) / 1e6,
                        "memory_mb": turns[-1][0]["memory_mb"],
                    }
                )
    print(
        f"An image counts {image_flops / 1e9:.1f} GFLOP; the large convolution ran at "
        f"{min(rates) / 1e9:.0f} to {max(rates) / 1e9:.0f} GFLOP/s"
    )
    return results


def files(directory: Path, folder: Path, variants: list[str]) -> dict[str, Path]:
    """Exports the variants into `folder`; returns where each lies."""
    found = {"keras": directory}
    for variant in SAVED_MODELS.keys() & set(variants):
        precision = SAVED_MODELS[variant]
        found[variant] = saved_model.export(directory, folder / variant, precision=precision)
    wanted = [name for name in tflite.VARIANTS if f"tflite_{name}" in variants]
    if wanted:
        for file in tflite.export(directory, folder / "tflite", wanted):
            found[f"tflite_{file.variant}"] = file.path
    return {variant: found[variant] for variant in variants}


def size(path: Path) -> int:
    """Counts the bytes of a file, or of the files in a folder that drawing needs."""
    if path.is_file():
        return path.stat().st_size
    networks = [model_directory.weights_file(path, name) for name in ("text_encoder", "generator")]
    return sum(
        file.stat().st_size
        for file in (networks if networks[0].is_file() else path.rglob("*"))
        if file.is_file()
    )


@contextlib.contextmanager
def answering(*arguments: str | Path) -> Iterator[Callable[[int], dict[str, float]]]:
    """Starts a Python process; gives a function from a line for it, a batch size, to its answer."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def draw(batch):
        print(batch, file=process.stdin, flush=True)
        if answer := process.stdout.readline():
            return json.loads(answer)
        raise UserError(f"{' '.join(map(str, arguments[:4]))} ended: see above")

    with process:  # It ends with its standard input.
        yield draw


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
