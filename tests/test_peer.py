"""The PyTorch networks of `benchmarks.peer` are ours, and the benchmark tells both forms' times."""

import json
import subprocess

import keras
import numpy as np
import pytest

from configs import cub_attngan2
from t2i_tf.networks.discriminator import Discriminator
from t2i_tf.published import weights
from tests.commands import ROOT, command, run

torch = pytest.importorskip("torch")
peer_networks = pytest.importorskip("benchmarks.peer_networks")

SMALL = ["--config.generator.stages=2", "--config.generator.filters=4"]
SMALL += ["--config.discriminator.filters=4", "--config.text_encoder.units=8"]
FIGURES = {"task", "precision", "form", "batch", "median_s", "fraction_of_peak"}


@pytest.mark.parametrize("image_size", [64, 128, 256])
def test_discriminators_tell_what_ours_tell(image_size, rng):
    torch.manual_seed(0)
    theirs = peer_networks.Discriminator(image_size, 4, 6).eval()
    ours = Discriminator(image_size, 4)
    ours(keras.Input((image_size, image_size, 3)), keras.Input((6,)))
    state = {key: tensor.numpy() for key, tensor in theirs.state_dict().items()}
    weights.assign_discriminator(ours, state)
    images = rng.uniform(-1, 1, (2, image_size, image_size, 3)).astype("float32")
    sentence = rng.normal(size=(2, 6)).astype("float32")
    with torch.no_grad():
        features = theirs(torch.from_numpy(images.transpose(0, 3, 1, 2)))
        alone = theirs.UNCOND_DNET(features)
        matched = theirs.COND_DNET(features, torch.from_numpy(sentence))
    for logits, expected in zip(ours(images, sentence), (alone, matched), strict=True):
        assert np.std(expected.numpy()) > 1e-6
        np.testing.assert_allclose(logits, expected.numpy(), atol=1e-5)


def test_the_benchmark_compares_the_same_pictures_and_ends_in_json_lines():
    printed = run(
        "benchmarks.peer",
        "--config=cub_attngan2",
        *SMALL,
        "--batch=1",
        "--train_batch=2",
        "--steps=1",
        "--train_steps=1",
        "--nocompiled",
    ).splitlines()
    assert printed[0] == f"cub_attngan2 beside PyTorch {torch.__version__}"
    assert sum("eager: the same pictures as ours" in line for line in printed) == 2
    figures = [json.loads(line) for line in printed[-8:]]
    assert [(one["task"], one["precision"], one["form"], one["batch"]) for one in figures] == [
        (task, precision, form, batch)
        for task, batch in (("draw", 1), ("train", 2))
        for precision in ("float32", "bfloat16")
        for form in ("ours", "PyTorch, eager")
    ]
    for one in figures:
        assert one.keys() == FIGURES and one["median_s"] > 0 and one["fraction_of_peak"] > 0


def test_other_weights_are_told():
    from benchmarks import peer
    from data_pipeline.support.errors import UserError

    rng = np.random.default_rng(0)
    ours, theirs = rng.integers(0, 256, (2, 1, 8, 8, 3)).astype("uint8")
    peer.assert_same(ours, ours, "float32", "eager")
    with pytest.raises(UserError, match="PyTorch, eager, bfloat16: pictures . dB from ours"):
        peer.assert_same(ours, theirs, "bfloat16", "eager")
    with pytest.raises(UserError, match="of standard deviation 0.0"):
        peer.assert_same(0 * ours, 0 * ours, "float32", "eager")


def test_the_compared_networks_are_those_of_the_published_code():
    from benchmarks import peer

    peer.check(cub_attngan2.get_config())


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--config.generator.attention=dual", "generator.attention=dual: the peer's networks have"),
        ("--batch=1,x", "--batch=1,x: give numbers of images"),
        ("--train_batch=1", "--train_batch=1: mismatched pairs need two images"),
        ("--precisions=int8", "--precisions: int8 is none of float32, bfloat16"),
    ],
)
def test_bad_input_gets_one_line(flag, message):
    done = subprocess.run(
        command("benchmarks.peer", "--config=cub_attngan2", flag),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert message in line and "Traceback" not in done.stderr
