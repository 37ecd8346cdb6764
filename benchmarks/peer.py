"""The same networks here and in PyTorch, eager and compiled: seconds of drawing and of training.

    python -m benchmarks.peer --config=cub_attngan2 --batch=1,8 --train_batch=4

PyTorch (`pip install -r requirements-torch.txt`) computes channels-last, in bfloat16 by autocast,
and compiled by torch.compile, which needs a C++ compiler. It draws with random weights, which
`t2i_tf.published` brings into ours; both must draw the same picture. The training step is that of
discriminators and generator with adversarial and KL losses, without an image encoder. Every form
has a process of its own; those of one precision take turns, each beside a large float32
convolution, in whose rate `fraction` is told, by operations as the papers write them down. Last of
all comes a line of JSON for each form, task and batch.
"""

import contextlib
import json
import statistics
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import flags
from ml_collections import ConfigDict

from benchmarks import train_step
from benchmarks.flops import nominal_image_flops
from benchmarks.inference import DRAWING, VOCABULARY, answering
from data_pipeline.support.errors import UserError, run
from data_pipeline.text.vocabulary import END, Vocabulary
from export import saved_model
from t2i_tf.models import model_directory
from t2i_tf.models.model_directory import ModelDirectory
from t2i_tf.published.assemble import PublishedFile, assemble, read
from t2i_tf.training.flags import define_config
from t2i_tf.training.machinery.speed import LargeConvolution
from t2i_tf.training.options import in_steps

PEER = "benchmarks.peer_process"
OURS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}  # what training calls a precision
SAME = {"float32": 50.0, "bfloat16": 30.0}  # least PSNR, in decibels, of ours and the peer's
PICTURES, WARM_UP = 2, 2
# What the peer's networks are made for, in the sections of a config.
REQUIRED = {
    "generator": {
        "base_size": 64,
        "attention": "textual",
        "image_heads": "all",
        "normalize_sentence": False,
        "logvar_bias": 0.0,
    },
    "discriminator": {"norm": "batch", "unconditional": True, "normalize_sentence": False},
    "text_encoder": {"cell": "lstm"},
    "loss": {"diffaugment": (), "gradient_penalty": 0, "r1_penalty": 0, "generator_steps": 1},
}

Ask = Callable[[int], Mapping[str, float]]


def define_flags() -> None:
    """Defines the command's flags."""
    define_config()
    flags.mark_flag_as_required("config")
    flags.DEFINE_list("batch", ["1", "8"], "Images a drawing; empty leaves drawing out.")
    flags.DEFINE_integer("train_batch", 4, "Images a training step; 0 leaves training out.", 0)
    flags.DEFINE_integer("steps", 12, "Timed drawings of each form.", 1)
    flags.DEFINE_integer("train_steps", 6, "Timed training steps of each form.", 1)
    flags.DEFINE_list("precisions", list(OURS), f"Of {', '.join(OURS)}.")
    flags.DEFINE_boolean("compiled", True, "Whether torch.compile is measured too; takes minutes.")


def main(_: list[str]) -> None:
    """Measures the forms and prints a line for each."""
    options = flags.FLAGS
    config = options.config.copy_and_resolve_references()
    check(config)
    if not all(batch.isdecimal() and int(batch) for batch in options.batch):
        raise UserError(f"--batch={','.join(options.batch)}: give numbers of images, with commas")
    if unknown := set(options.precisions) - set(OURS):
        raise UserError(f"--precisions: {', '.join(unknown)} is none of {', '.join(OURS)}")
    if options.train_batch == 1:
        raise UserError("--train_batch=1: mismatched pairs need two images, BatchNorm too")
    try:
        import torch
    except ImportError as error:
        raise UserError("needs PyTorch: pip install -r requirements-torch.txt") from error
    config.loss.damsm_weight = 0.0
    config.train.batch_size = options.train_batch or 2
    config = in_steps(config, train_step.TRAINING_IMAGES)
    forms = ["eager", *(["compiled"] if options.compiled else [])]
    print(f"{config.name} beside PyTorch {torch.__version__}", flush=True)
    convolution, results = LargeConvolution(), []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        model = prepare(config, folder, options.precisions)
        counted = nominal_image_flops(model.config, model.text_encoder)
        for precision in options.precisions if options.batch else ():
            with drawing(folder, precision, forms, model) as asks:
                for batch in map(int, options.batch):
                    times = taking_turns(asks, batch, options.steps, convolution)
                    results += figures("draw", precision, batch, batch * counted, times)
        if options.train_batch:
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                flops = pool.submit(train_step.count, config.to_json()).result()
            for precision in options.precisions:
                with training(config, folder, precision, forms) as asks:
                    times = taking_turns(
                        asks, options.train_batch, options.train_steps, convolution
                    )
                    results += figures("train", precision, options.train_batch, flops, times)
    for result in results:
        print(json.dumps(result))


def check(config: ConfigDict) -> None:
    """Raises a `UserError` unless the peer's networks can be made by the config."""
    for section, expected in REQUIRED.items():
        for name, value in expected.items():
            given = config[section][name]
            if given != value:
                raise UserError(f"{section}.{name}={given}: the peer's networks have {value}")


def prepare(config: ConfigDict, folder: Path, precisions: list[str]) -> ModelDirectory:
    """Writes what all processes read: the peer's weights, and ours from them.

    Args:
        config: Of the networks.
        folder: Where to.
        precisions: Those of our SavedModels, `folder / <precision> / "1"`.

    Returns:
        Our model, which lies in `folder / "model"`.
    """
    import torch

    from benchmarks import peer_networks

    torch.manual_seed(config.seed)
    encoder, generator, _ = peer_networks.networks(config, VOCABULARY)
    rng, words = np.random.default_rng(config.seed), config.data.max_words
    tokens = rng.integers(1, VOCABULARY, [PICTURES, words])
    noise = rng.normal(size=[PICTURES, config.generator.noise_dim]).astype("float32")
    peer_networks.settle(encoder, generator)
    (folder / "config.json").write_text(config.to_json())
    np.savez(folder / "inputs.npz", tokens=tokens, noise=noise)
    files = []
    for name, network in (("text_encoder", encoder), ("generator", generator)):
        files.append(PublishedFile(name, folder / f"{name}.pth"))
        torch.save(network.state_dict(), files[-1].path)
    vocabulary = Vocabulary([END, *(f"word{i}" for i in range(1, VOCABULARY))])
    vocabulary.save(folder / "words.txt")
    vocabulary = read(files, None, folder / "words.txt")
    model = assemble(files, vocabulary, name=config.name, max_words=words)
    model_directory.save(folder / "model", model, f"# {config.name}, untrained\n")
    for precision in precisions:
        saved_model.export(folder / "model", folder / precision, 1, precision=precision)
    return model


@contextlib.contextmanager
def drawing(folder: Path, precision: str, forms: list[str], model: ModelDirectory):
    """The processes that draw in a precision, by form, once all draw the same pictures.

    Raises:
        UserError: Their pictures differ.
    """
    inputs = np.load(folder / "inputs.npz")
    texts = [" ".join(model.vocabulary.words[i] for i in row) for row in inputs["tokens"]]
    path, ids = folder / precision / "1", ",".join(map(str, inputs["tokens"][0]))
    with contextlib.ExitStack() as stack:
        ask = stack.enter_context(answering(DRAWING, "saved_model", str(path), texts[0], ids))
        asks = {"ours": ask}
        for form in forms:
            process = ("-m", PEER, "draw", precision, form, str(folder))
            asks[f"PyTorch, {form}"] = stack.enter_context(answering(*process))
        loaded = tf.saved_model.load(str(path))
        drawn = loaded.signatures["generate_from_noise"](
            text=tf.constant(texts), noise=tf.constant(inputs["noise"])
        )["image"].numpy()
        for form in forms:
            asks[f"PyTorch, {form}"](1)  # Its pictures are there once it answers.
            assert_same(drawn, np.load(folder / f"{precision}_{form}.npy"), precision, form)
        yield asks


def assert_same(ours: np.ndarray, theirs: np.ndarray, precision: str, form: str) -> None:
    """Raises a `UserError` unless uint8 pictures `[B, S, S, 3]` are those of the same weights."""
    error = np.mean((ours.astype(float) - theirs) ** 2)
    decibels = 10 * np.log10(255**2 / max(error, 1e-9))
    if np.std(theirs) < 1 or decibels < SAME[precision]:
        raise UserError(
            f"PyTorch, {form}, {precision}: pictures {decibels:.0f} dB from ours, of standard "
            f"deviation {np.std(theirs):.1f}: expected {SAME[precision]:.0f} dB or more"
        )
    print(f"{precision}, {form}: the same pictures as ours, {decibels:.0f} dB", flush=True)


@contextlib.contextmanager
def training(config: ConfigDict, folder: Path, precision: str, forms: list[str]):
    """The processes that train in a precision, by form."""
    config.train.precision = OURS[precision]
    file = folder / f"{precision}.json"
    file.write_text(config.to_json())
    with contextlib.ExitStack() as stack:
        ours = answering("-m", "benchmarks.training", str(file))
        asks = {"ours": stack.enter_context(ours)}
        for form in forms:
            process = ("-m", PEER, "train", precision, form, str(folder))
            asks[f"PyTorch, {form}"] = stack.enter_context(answering(*process))
        yield asks


def taking_turns(
    asks: Mapping[str, Ask], batch: int, steps: int, convolution: LargeConvolution
) -> dict[str, list[tuple[float, float]]]:
    """Asks every process in turn, the convolution after each.

    Returns:
        For each the (seconds, the convolution's rate right after) of its timed calls.
    """
    for ask in asks.values():
        for _ in range(WARM_UP):
            ask(batch)
    times = {name: [] for name in asks}
    for _ in range(steps):
        for name, ask in asks.items():
            times[name].append((ask(batch)["seconds"], convolution.rate()))
    return times


def figures(task: str, precision: str, batch: int, flops: float, times: dict) -> list[dict]:
    """Medians of `taking_turns`, printed and returned; seconds and rates of all `flops`."""
    peak = statistics.median(rate for own in times.values() for _, rate in own)
    results = []
    for form, own in times.items():
        seconds = statistics.median(second for second, _ in own)
        fraction = flops / seconds / peak
        print(
            f"{task:6}{precision:9} batch {batch:2}  {form:18} {seconds:7.4f} s  "
            f"{fraction:5.2f} of the convolution's {peak / 1e9:.0f} GFLOP/s",
            flush=True,
        )
        results.append(
            {
                "task": task,
                "precision": precision,
                "form": form,
                "batch": batch,
                "median_s": seconds,
                "fraction_of_peak": fraction,
            }
        )
    return results


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
