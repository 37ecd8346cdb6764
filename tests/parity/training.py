"""The case of whole training steps; see `tests.parity.networks`."""

import contextlib
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from configs import cub_attngan2
from t2i_tf.networks import build
from t2i_tf.published.weights import assign_discriminator, assign_generator
from t2i_tf.training.attngan import AttnGAN
from t2i_tf.training.options import GanOptions
from tests.parity.fixture import channels_last, load
from tests.parity.networks import discriminator, generator, pictures

LOGS = {  # the fixture's names of what a step logs
    "d_loss_0": "errD0",
    "d_loss_1": "errD1",
    "d_gradient_norm_0": "gradnorm_D0",
    "d_gradient_norm_1": "gradnorm_D1",
    "g_loss_0": "g_loss0",
    "g_loss_1": "g_loss1",
    "g_loss": "errG_total",
    "g_gradient_norm": "gradnorm_G",
    "kl_loss": "kl",
}


@contextlib.contextmanager
def double_precision():
    """Everything is float64, for in float32 rounding hides what a wrong step would do.

    TensorFlow's leaky ReLU keeps its slope as a float32 number even then, which is enough for one
    value of the three steps, at 1e-9 from zero, to fall on the other side.
    """
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        with (
            build.precision("float64"),
            mock.patch.object(ops, "leaky_relu", lambda x, slope: ops.maximum(x, slope * x)),
        ):
            yield
    finally:
        keras.config.set_floatx(before)


class Texts:
    """Stands for a text encoder, with given embeddings."""

    words = sentence = None

    def __call__(self, tokens, training=False):
        return self.words, self.sentence


class Observed(AttnGAN):
    """AttnGAN with given noise, whose fakes can be looked at."""

    noise, fakes = None, ()

    def _noise(self, *_):
        return self.noise

    def train_discriminators(self, fakes, captions, batch):
        self.fakes = fakes.images
        return super().train_discriminators(fakes, captions, batch)


class RecordingAdam(keras.optimizers.Adam):
    """Adam that keeps the gradients of its first step."""

    first = None

    def apply(self, grads, trainable_variables=None):
        if self.first is None:
            paths = [variable.path.partition("/")[2] for variable in trainable_variables]
            self.first = dict(zip(paths, grads, strict=True))
        super().apply(grads, trainable_variables)


def published_trainer(fixture):
    """The model as the published loop began."""
    c = fixture.config
    network, averaged = (generator(fixture, fixture.group("w/G/")) for _ in range(2))
    judges = [discriminator(fixture, 64 * 2**i, fixture.group(f"w/D{i}/")) for i in range(2)]
    options = GanOptions(**cub_attngan2.get_config().loss.to_dict() | {"damsm_weight": c["LAMBDA"]})
    model = Observed(Texts(), keras.layers.Identity(), network, averaged, judges, options)
    # Keras' Adam would round Python's floats to float32.
    optimizers = [
        RecordingAdam(c["lr"], *map(np.float64, c["betas"]), c["adam_eps"]) for _ in range(3)
    ]
    model.compile(optimizers[0], optimizers[1:])
    return model


def train_step(model, fixture, step):
    """One step on a fixture's batch; returns what it logs, under the fixture's names."""

    def given(name):
        return tf.constant(channels_last(fixture[f"in/step{step}/{name}"]))

    double = [tf.cast(given(k), "float64") for k in ("words_emb", "sent_emb", "z", "eps")]
    model.text_encoder.words, model.text_encoder.sentence, *noise = double
    model.noise = noise
    real = [pictures(fixture, f"step{step}/real{size}") for size in (64, 128)]
    model.reset_metrics()
    logs = model.train_step(
        {
            "tokens": tf.cast(~given("mask"), "int32"),
            "images": [tf.constant(images, "float64") for images in real],
            "index": tf.range(len(real[0])),
            "class_id": tf.range(len(real[0])),
        }
    )
    named = {name: logs[key] for key, name in LOGS.items()}
    for i, images in enumerate(model.fakes):
        named |= {f"fake{i}_mean": np.mean(images), f"fake{i}_std": np.std(images, ddof=1)}
    return named


def by_variable(network, assign, state, shapes):
    """A state dict's values by the paths of a network's variables, without those it lacks."""
    lacking = {key: np.full_like(array, np.nan) for key, array in shapes.items()}
    assign(network, lacking | state)
    values = {v.path.partition("/")[2]: v.numpy() for v in network.weights}
    return {path: value for path, value in values.items() if np.all(np.isfinite(value))}


def training_case():
    """What three steps log, the first one's gradients and the parameters after the last.

    Gradients are in units of the largest of their tensor.
    """
    fixture = load("train_steps")
    with double_precision():
        model = published_trainer(fixture)
        steps = [train_step(model, fixture, step) for step in range(fixture.config["steps"])]
        actual = {f"log/{k}": np.array([float(logs[k]) for logs in steps]) for k in steps[0]}
        expected = {f"log/{k}": v for k, v in fixture.group("out_oldadam/log/").items()}
        trained = {"G": (model.generator, model.generator_optimizer, assign_generator)}
        for i, pair in enumerate(
            zip(model.discriminators, model.discriminator_optimizers, strict=True)
        ):
            trained[f"D{i}"] = (*pair, assign_discriminator)
        for name, (network, optimizer, assign) in trained.items():
            initial = fixture.group(f"w/{name}/")
            after = {v.path.partition("/")[2]: v.numpy() for v in network.weights}
            stored = fixture.group(f"out_oldadam/{name}/")
            for path, value in by_variable(network, assign, stored, initial).items():
                expected[f"{name}/params/{path}"] = value
                actual[f"{name}/params/{path}"] = after[path]
            stored = fixture.group(f"grad/step0/{name}/")
            for path, value in by_variable(network, assign, stored, initial).items():
                scale = np.max(np.abs(value))
                expected[f"grad/{name}/{path}"] = value / scale
                actual[f"grad/{name}/{path}"] = optimizer.first[path] / scale
    return fixture, actual, expected


CASES = {"three training steps": training_case}
