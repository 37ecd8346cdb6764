"""The PyTorch networks of `benchmarks.peer` are ours, and the benchmark tells both forms' times."""

import json
import subprocess

import keras
import numpy as np
import pytest

from configs import cub_attngan2
from t2i_tf.networks import build
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


def test_generators_draw_what_ours_draw(rng):
    """And text encoders read what ours read."""
    torch.manual_seed(0)
    config = cub_attngan2.get_config()
    config.generator.update(stages=2, filters=4, noise_dim=5, condition_dim=6)
    config.text_encoder.units = 8
    encoder, generator, _ = peer_networks.networks(config, 20)
    peer_networks.settle(encoder, generator)
    ours = build.text_encoder(config, 20), build.generator(config)
    assign = weights.assign_text_encoder, weights.assign_generator
    for network, theirs, bring in zip(ours, (encoder, generator), assign, strict=True):
        bring(network, {key: tensor.numpy() for key, tensor in theirs.state_dict().items()})
    tokens = rng.integers(1, 20, (2, 7))
    noise, eps = (rng.normal(size=(2, size)).astype("float32") for size in (5, 6))
    with torch.no_grad():
        words, sentence = encoder(torch.from_numpy(tokens))
        inputs = sentence, words, torch.from_numpy(noise), torch.from_numpy(eps)
        expected, mu, logvar = generator.eval()(*inputs)
    own_words, own_sentence = ours[0](tokens)
    np.testing.assert_allclose(own_words, words.numpy(), atol=1e-5)
    drawn = ours[1](own_sentence, own_words, tokens != 0, noise, eps)
    for name, codes in (("mu", mu), ("logvar", logvar)):
        np.testing.assert_allclose(drawn[name], codes.numpy(), atol=1e-5)
    for image, other in zip(drawn["images"], expected, strict=True):
        assert np.std(other.numpy()) > 0.1
        np.testing.assert_allclose(image, other.numpy().transpose(0, 2, 3, 1), atol=1e-4)


def test_the_benchmark_compares_the_same_pictures_and_ends_in_json_lines():
    printed = run(
        "benchmarks.peer",
        "--config=cub_attngan2",
        *SMALL,
        "--precisions=bfloat16",
        "--batch=1",
        "--train_batch=2",
        "--steps=1",
        "--train_steps=1",
        "--nocompiled",
    ).splitlines()
    assert printed[0] == f"cub_attngan2 beside PyTorch {torch.__version__}"
    assert sum("eager: the same pictures as ours" in line for line in printed) == 1
    figures = [json.loads(line) for line in printed[-4:]]
    assert [(one["task"], one["precision"], one["form"], one["batch"]) for one in figures] == [
        (task, "bfloat16", form, batch)
        for task, batch in (("draw", 1), ("train", 2))
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
