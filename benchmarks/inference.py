"""Speed, memory and size of a model that draws: Keras, SavedModel and the four TFLite files.

    python -m benchmarks.inference --config=configs/cub_attngan2.py --batch=1,8

draws with the preset's random weights, `--model_dir=` with a trained model. Each variant has a
process of its own; its calls take turns with a large float32 convolution, so that
`fraction_of_peak` compares the two as the machine was during the run. Its numerator counts an image
as the papers write it down, whatever the code saves, and the peak is float32's for int8 too. TFLite
files draw one image at a time. Last of all comes a line of JSON for each variant and batch.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from absl import flags
from ml_collections import config_flags

from benchmarks.flops import nominal_flops
from benchmarks.machine import LargeConvolution
from data_pipeline.support.errors import UserError, run
from data_pipeline.vocabulary import END, Vocabulary
from export.saved_model import export as saved_model
from export.tflite import export as tflite
from t2i_tf.models import model_directory
from t2i_tf.models.text_to_image import TextToImage
from t2i_tf.networks import build

VARIANTS = ("keras", "saved_model", *(f"tflite_{name}" for name in tflite.VARIANTS))

CONFIG = config_flags.DEFINE_config_file("config", None, "Experiment, a file in configs/.")
MODEL_DIR = flags.DEFINE_string("model_dir", None, "A model to draw with instead.")
BATCH = flags.DEFINE_list("batch", ["1", "8"], "Images a call.")
STEPS = flags.DEFINE_integer("steps", 20, "Timed calls of each.", 2)
VARIANT = flags.DEFINE_list("variants", list(VARIANTS), f"Of {', '.join(VARIANTS)}.")

VOCABULARY, WARM_UP = 5450, 3
ROOT = Path(__file__).parents[1]


def main(_):
    if bool(CONFIG.value) == bool(MODEL_DIR.value):
        raise UserError("give either --config=<a preset> or --model_dir=<a model>")
    if unknown := set(VARIANT.value) - set(VARIANTS):
        raise UserError(f"--variants: {', '.join(unknown)} is none of {', '.join(VARIANTS)}")
    if not all(batch.isdecimal() and int(batch) for batch in BATCH.value):
        raise UserError(f"--batch={','.join(BATCH.value)}: give numbers of images, with commas")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        directory = MODEL_DIR.value or random_model(folder / "model", CONFIG.value)
        results = measure(Path(directory).resolve(), folder)
    for result in results:
        memory = result.pop("memory_mb")
        print(
            f"{result['variant']:16} batch {result['batch']:2}  "
            f"{result['median_s']:.4f} s, 95 % within {result['p95_s']:.4f} s  "
            f"{result['images_per_second']:6.2f} images a second  "
            f"{result['fraction_of_peak']:.3f} of the peak  "
            f"{memory:5.0f} MB held  {result['size_mb']:.1f} MB on disk"
        )
    for result in results:
        print(json.dumps(result))


def random_model(directory, config):
    """Writes a model directory of a preset's networks as they are before training."""
    keras.utils.set_random_seed(config.seed)
    vocabulary = Vocabulary([END, *(f"word{i}" for i in range(1, VOCABULARY))])
    encoder = build.text_encoder(config, len(vocabulary))
    model = model_directory.ModelDirectory(
        config, vocabulary, encoder, generator=build.generator(config)
    )
    model_directory.save(directory, model, f"# {config.name}, untrained\n")
    return directory


def measure(directory, folder):
    """A dict of figures for each variant and batch, in seconds and MB."""
    model = model_directory.load(directory)
    caption = " ".join(model.vocabulary.words[1 : 1 + model.config.data.max_words])
    ids = ",".join(map(str, model.vocabulary.encode(caption)[0]))
    image_flops = flops(model)
    convolution = LargeConvolution()
    results, rates = [], []
    for variant, path in files(directory, folder).items():
        form = variant.split("_")[0] if variant.startswith("tflite") else variant
        with answering(form, str(path), caption, ids) as draw:
            for batch in map(int, ["1"] if form == "tflite" else BATCH.value):
                for _ in range(WARM_UP):
                    draw(batch)
                turns = [(draw(batch), convolution.rate()) for _ in range(STEPS.value)]
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


def files(directory, folder):
    """Where each variant that was asked for lies, exported into `folder`."""
    found = {"keras": model_directory.find(directory)}
    if "saved_model" in VARIANT.value:
        found["saved_model"] = saved_model.export(directory, folder / "saved_model")
    wanted = [name for name in tflite.VARIANTS if f"tflite_{name}" in VARIANT.value]
    if wanted:
        for file in tflite.export(directory, folder / "tflite", wanted):
            found[f"tflite_{file.variant}"] = file.path
    return {variant: found[variant] for variant in VARIANTS if variant in VARIANT.value}


def flops(model):
    """Operations of one image, counted as `benchmarks.flops` does."""
    network = TextToImage(model.text_encoder, model.generator)
    tokens = tf.ones([1, model.config.data.max_words], tf.int32)
    noise = tf.zeros([1, model.generator.noise_dim])
    return nominal_flops(lambda *inputs: network.from_noise(*inputs)["images"][-1], tokens, noise)


def size(path):
    """Bytes of a file, or of what drawing needs of a folder."""
    path = Path(path)
    if path.is_file():
        return path.stat().st_size
    networks = [model_directory.weights_file(path, name) for name in ("text_encoder", "generator")]
    return sum(
        file.stat().st_size
        for file in (networks if networks[0].is_file() else path.rglob("*"))
        if file.is_file()
    )


@contextlib.contextmanager
def answering(*arguments):
    """A function from a batch size to what a process of `benchmarks.drawing` answers."""
    process = subprocess.Popen(
        [sys.executable, ROOT / "benchmarks" / "drawing.py", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def draw(batch):
        print(batch, file=process.stdin, flush=True)
        if answer := process.stdout.readline():
            return json.loads(answer)
        raise UserError(f"{' '.join(arguments[:2])} cannot draw: see above")

    with process:  # It ends with its standard input.
        yield draw


if __name__ == "__main__":
    run(main)
