"""Shows this machine's versions, devices and speed, and trains a tiny GAN for a few steps.

    python -m t2i_tf.doctor
    python -m t2i_tf.doctor --strategy=mirrored

The command takes a minute. Begin every problem report with its output.
"""

import math
import os
import platform
import statistics

import keras
import tensorflow as tf
from absl import flags

from data_pipeline.support.errors import UserError, run
from data_pipeline.support.version import VERSION
from t2i_tf.training import trial
from t2i_tf.training.flags import define_strategy, preset
from t2i_tf.training.machinery import replicas
from t2i_tf.training.machinery.speed import LargeConvolution
from t2i_tf.training.options import check
from t2i_tf.training.repeats import EVERY

STEPS, RATES = 6, 5


def _show(name, value):
    print(f"{name:<22} {value}", flush=True)


def _show_versions():
    _show("t2i_tf", VERSION)
    _show("Python", f"{platform.python_version()} on {platform.platform()}")
    _show("TensorFlow, Keras", f"{tf.__version__}, {keras.__version__}")
    built = tf.sysconfig.get_build_info()
    cuda, cudnn = (built.get(f"{name}_version", "none") for name in ("cuda", "cudnn"))
    _show("built for", f"CUDA {cuda}, cuDNN {cudnn}")


def _show_devices():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    _show("CPU", f"{os.cpu_count()} cores, {memory:.0f} GiB of memory")
    for gpu in replicas.gpus():
        details = tf.config.experimental.get_device_details(gpu)
        version = ".".join(map(str, details.get("compute_capability", ("?",))))
        _show(
            gpu.name.removeprefix("/physical_device:"), f"{details.get('device_name')}, {version}"
        )
    if not replicas.gpus():
        _show("GPU", "none that TensorFlow can use")


def _show_speed():
    for dtype in ("float32", "bfloat16"):
        convolution = LargeConvolution(dtype)
        rate = statistics.median(convolution.rate() for _ in range(RATES))
        _show(f"convolution, {dtype}", f"{rate / 1e9:,.0f} GFLOP/s")


def _show_training(config):
    seconds, figures = trial.train(config, STEPS)
    _show(
        "tiny step", f"{1000 * statistics.median(seconds[1:]):.0f} ms, the first {seconds[0]:.1f} s"
    )
    wrong = [name for name, value in figures.items() if not math.isfinite(value)]
    if wrong:
        raise UserError(
            f"training came to {wrong[0]}={figures[wrong[0]]}: this machine computes wrong results"
        )
    _show("g_loss", f"{figures['g_loss']:.3f}")


def main(_: list[str]) -> None:
    """Shows versions, devices and speed, then trains a tiny GAN for some steps."""
    options = flags.FLAGS
    with replicas.strategy(options.strategy, options.cpu_devices).scope():
        _show_versions()
        _show_devices()
        _show_speed()
        _show("trains on", replicas.description())
        config = preset("tiny").unlock()
        least = EVERY * replicas.count()
        config.train.batch_size = least * math.ceil(config.train.batch_size / least)
        check(config, replicas.count())
        keras.utils.set_random_seed(config.seed)
        _show_training(config)
    print("This machine trains.")


def command() -> None:
    """The command line."""
    run(main, define_strategy)


if __name__ == "__main__":
    command()
