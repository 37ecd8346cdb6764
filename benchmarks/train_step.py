"""Speed and memory of one training step of a GAN preset, on random batches; needs no data set.

    python -m benchmarks.train_step --config=configs/cub_attngan2.py --batch=4 --jit_compile \
        --config.loss.damsm_weight=0

Steps take turns with a large float32 convolution, so that `fraction_of_peak` compares the two as
the machine was during the run. Its numerator counts the step as the papers write it down, whatever
the code saves, and its denominator is float32's even where the step computes in bfloat16. Image
encoders have random weights; `damsm_weight=0` leaves them out. The last line is JSON.
"""

import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import keras
import tensorflow as tf
from absl import flags
from ml_collections import ConfigDict

from benchmarks.flops import executed_flops, nominal_step_flops
from benchmarks.machine import peak_memory_mb
from data_pipeline.support.errors import UserError, run
from t2i_tf.networks import build
from t2i_tf.networks.image_encoder import ImageEncoder
from t2i_tf.networks.text_encoder import TextEncoder
from t2i_tf.training.attngan import AttnGAN
from t2i_tf.training.build import build_attngan
from t2i_tf.training.flags import define_config
from t2i_tf.training.machinery.memory import keep_freed_memory
from t2i_tf.training.machinery.speed import LargeConvolution
from t2i_tf.training.options import in_steps
from t2i_tf.training.trial import random_batch

VOCABULARY, WARM_UP = 5450, 2
TRAINING_IMAGES = 8855  # of CUB-200-2011, for presets that count epochs


def define_flags() -> None:
    """Defines the command's flags."""
    define_config()
    flags.mark_flag_as_required("config")
    flags.DEFINE_integer("batch", None, "Images a step; the config's if left out.", 2)
    flags.DEFINE_boolean("jit_compile", None, "XLA; the config's if left out.")
    flags.DEFINE_integer("steps", 15, "Timed steps.", 1)


def main(_: list[str]) -> None:
    """Measures the preset and prints the figures."""
    options = flags.FLAGS
    config = options.config.copy_and_resolve_references()
    for value, name in ((options.batch, "batch_size"), (options.jit_compile, "jit_compile")):
        if value is not None:
            config.train[name] = value
    config = in_steps(config, TRAINING_IMAGES)
    figures = measure(config, options.steps)
    print(f"{config.name}, {config.train.precision}, jit_compile={config.train.jit_compile}")
    for name, value in table(figures, options.steps).items():
        print(f"  {name:24}{value}")
    shown = ("step_seconds", "images_per_second", "fraction_of_peak", "peak_memory_mb")
    result = {name: figures[name] for name in shown}
    print(json.dumps({**result, "config": config.name, "batch": config.train.batch_size}))


def measure(config: ConfigDict, steps: int) -> dict[str, float]:
    """Times the steps; returns figures by name, in seconds, MB and operations."""
    # The counted networks live in another process, so that they take no memory here.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        nominal = pool.submit(count, config.to_json()).result()
    model, batch = prepared(config)
    figures = {"model_memory_mb": peak_memory_mb(), "batch": config.train.batch_size}
    figures["flops"] = nominal
    figures["executed_flops"] = executed_flops(model.train_step, batch)
    step, convolution = stepper(model, batch), LargeConvolution()
    for _ in range(WARM_UP):
        step()
    seconds, rates = [], []
    for _ in range(steps):
        seconds.append(step())
        rates.append(convolution.rate())
    figures["step_seconds"] = statistics.median(seconds)
    figures["convolution_flops_per_second"] = statistics.median(rates)
    figures["images_per_second"] = config.train.batch_size / figures["step_seconds"]
    figures["flops_per_second"] = figures["flops"] / figures["step_seconds"]
    figures["fraction_of_peak"] = (
        figures["flops_per_second"] / figures["convolution_flops_per_second"]
    )
    figures["peak_memory_mb"] = peak_memory_mb()
    return figures


def prepared(config: ConfigDict) -> tuple[AttnGAN, dict]:
    """Builds a model, in a process set up as for training, and a batch for it.

    Raises:
        UserError: Keras refuses to compile the step.
    """
    keep_freed_memory()
    keras.utils.set_random_seed(config.seed)
    if not config.train.jit_compile:  # Keras compiles no deterministic step.
        tf.config.experimental.enable_op_determinism()
    batch = tf.nest.map_structure(tf.constant, random_batch(config, VOCABULARY))
    model = build_attngan(config, encoders(config))
    if model.jit_compile != config.train.jit_compile:
        raise UserError("Keras refused train.jit_compile, so its time would be another step's")
    return model, batch


def count(config: str) -> int:
    """Counts a step as the papers write it down; the config comes as JSON."""
    config = ConfigDict(json.loads(config))
    return nominal_step_flops(config, encoders(config), random_batch(config, VOCABULARY))


def encoders(config: ConfigDict) -> tuple[TextEncoder, ImageEncoder]:
    """Builds a text encoder and an image encoder of random weights."""
    return build.text_encoder(config, VOCABULARY), build.image_encoder(config, pretrained=False)


def table(figures: dict[str, float], steps: int) -> dict[str, str]:
    """Puts the figures into words."""
    batch, giga = figures["batch"], 1e9
    return {
        f"step of batch {batch}": f"{figures['step_seconds']:.3f} s, median of {steps}",
        "images": f"{figures['images_per_second']:.2f} a second",
        "operations an image": f"{figures['flops'] / batch / giga:.1f} GFLOP, of which "
        f"{figures['executed_flops'] / batch / giga:.1f} are carried out",
        "rate": f"{figures['flops_per_second'] / giga:.0f} GFLOP/s",
        "large convolution": f"{figures['convolution_flops_per_second'] / giga:.0f} GFLOP/s",
        "fraction of that peak": f"{figures['fraction_of_peak']:.3f}",
        "peak memory": f"{figures['peak_memory_mb']:.0f} MB, "
        f"{figures['model_memory_mb']:.0f} before the first step",
    }


def stepper(model: AttnGAN, batch: dict) -> Callable[[], float]:
    """Makes a function that trains for one step on the batch and returns the seconds."""
    model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors(batch).repeat())

    def step():
        start = time.perf_counter()
        float(model.train_function(batches)["g_loss"])
        return time.perf_counter() - start

    return step


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
