"""The case of whole steps of DAMSM's pretraining; see `tests.parity.networks`."""

from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from configs import cub_damsm
from t2i_tf.networks import build
from t2i_tf.networks.batch_norm import BatchNorm
from t2i_tf.networks.image_encoder import ImageEncoder
from t2i_tf.published.weights import assign_text_encoder
from t2i_tf.training.build import build_damsm
from t2i_tf.training.machinery.optimizers import FusedAdam
from t2i_tf.training.options import in_steps
from tests.parity.fixture import channels_last, load, unbiased_running_variance
from tests.parity.networks import pictures
from tests.parity.training import by_variable, double_precision

LOGS = {  # the fixture's names of what a step logs
    "word_image_to_text": "w_loss0",
    "word_text_to_image": "w_loss1",
    "sentence_image_to_text": "s_loss0",
    "sentence_text_to_image": "s_loss1",
    "loss": "loss",
    "gradient_norm": "gradnorm_rnn",
}


def preset(fixture):
    """The published preset at the fixture's size: every choice is the preset's own."""
    c, config = fixture.config, cub_damsm.get_config()
    config.data.max_words = c["words"]
    config.text_encoder.update(embedding_dim=c["ninput"], units=c["nhidden"], dropout=0.0)
    config.train.batch_size = c["batch"]
    config = in_steps(config, c["batch"] * c["steps_per_epoch"] + 1)
    config.train.precision = "float64"
    return config


def image_encoder(fixture, **options):
    """An image encoder around the fixture's trunk, which stands for Inception."""
    c = fixture.config
    x = inputs = keras.Input((c["image"], c["image"], 3))
    features = []
    for i, channels in enumerate(c["channels"]):
        x = keras.layers.ZeroPadding2D(1)(x)
        x = keras.layers.Conv2D(channels, 3, strides=2, use_bias=False, name=f"conv{i}")(x)
        x = BatchNorm(momentum=0.9, epsilon=c["bn_eps"], name=f"bn{i}")(x)
        x = keras.layers.ReLU()(x)
        features.append(x)
    trunk = keras.Model(inputs, (features[1], ops.mean(x, axis=(1, 2))))
    network = ImageEncoder(trunk, c["nef"], c["image"], trainable_trunk=False, **options)
    network(inputs)
    state = fixture.group("w/cnn/")
    for i in range(len(c["channels"])):
        trunk.get_layer(f"conv{i}").kernel.assign(state[f"conv{i}.weight"].transpose(2, 3, 1, 0))
        names = ("weight", "bias", "running_mean", "running_var")
        trunk.get_layer(f"bn{i}").set_weights([state[f"bn{i}.{name}"] for name in names])
    for name, value in projections(state).items():
        variable(network, name).assign(value)
    return network


def projections(state):
    """A state dict's projections under the names of an image encoder's variables."""
    return {
        "regions/kernel": state["emb_features.weight"].transpose(2, 3, 1, 0),
        "code/kernel": state["emb_cnn_code.weight"].T,
        "code/bias": state["emb_cnn_code.bias"],
    }


def variable(network, name):
    (found,) = [v for v in network.variables if v.path.endswith(f"/{name}")]
    return found


def published_trainer(fixture):
    """DAMSM as the preset builds it, with the fixture's trunk and weights."""
    with mock.patch.object(
        build, "image_encoder", lambda _, **options: image_encoder(fixture, **options)
    ):
        model = build_damsm(preset(fixture), fixture.config["ntoken"])
    assign_text_encoder(model.text_encoder, fixture.group("w/rnn/"))
    return model


def train_step(model, fixture, step):
    """One step on a fixture's batch; returns what it logs, under the fixture's names."""
    model.reset_metrics()
    logs = model.train_step(
        {
            "tokens": tf.constant(fixture[f"in/step{step}/captions"], "int32"),
            "images": [tf.constant(pictures(fixture, f"step{step}/image"), "float64")],
            "class_id": tf.constant(fixture[f"in/step{step}/class_ids"]),
        }
    )
    return {name: float(logs[key]) for key, name in LOGS.items()}


def after_the_trunk(path):
    return path.rpartition("image_encoder/")[2]


def pretraining_case():
    """Three steps over the end of an epoch: what they log, gradients, weights and statistics.

    Gradients are the first step's, each in units of the largest of its tensor: clipping scales all
    of them, and its norm is among the logs. At the end the image encoder looks at the first batch
    with its running statistics.
    """
    fixture = load("damsm_steps")
    first = {}

    def apply(self, gradients, variables):
        for gradient, v in zip(gradients, variables, strict=True):
            first.setdefault(v.path, np.array(tf.convert_to_tensor(gradient)))
        super(FusedAdam, self).apply(gradients, variables)

    with double_precision():
        model = published_trainer(fixture)
        with unbiased_running_variance(), mock.patch.object(FusedAdam, "apply", apply, create=True):
            steps = [train_step(model, fixture, step) for step in range(fixture.config["steps"])]
        images = tf.constant(pictures(fixture, "step0/image"), "float64")
        regions, code = model.image_encoder(images)
        actual = {f"log/{k}": np.array([logs[k] for logs in steps]) for k in LOGS.values()}
        actual |= {"eval/features": regions, "eval/cnn_code": code}
        expected = {f"log/{k}": v for k, v in fixture.group("out/log/").items()}
        expected |= {f"eval/{k}": channels_last(v) for k, v in fixture.group("out/eval/").items()}

        of_images = {
            "params": (projections(fixture.group("out/cnn/")), lambda v: v.numpy()),
            "grad": (projections(fixture.group("grad/step0/cnn/")), lambda v: first[v.path]),
        }
        for kind, (stored, here) in of_images.items():
            for name, value in stored.items():
                expected[f"{kind}/image/{name}"] = value
                actual[f"{kind}/image/{name}"] = here(variable(model.image_encoder, name))
        for i in range(len(fixture.config["channels"])):
            layer = model.image_encoder.trunk.get_layer(f"bn{i}")
            for name, moving in (("mean", layer.moving_mean), ("var", layer.moving_variance)):
                expected[f"running/{i}/{name}"] = fixture[f"out/cnn/bn{i}.running_{name}"]
                actual[f"running/{i}/{name}"] = moving.numpy()

        text = model.text_encoder
        initial, trained = fixture.group("w/rnn/"), {v.path: v.numpy() for v in text.weights}
        # The published run trained one bias of each direction: Keras' LSTM has no second.
        gradients = {k: np.zeros_like(v) for k, v in initial.items() if "bias_hh" in k}
        gradients |= fixture.group("grad/step0/rnn/")
        for kind, stored, here in (
            ("params", fixture.group("out/rnn/"), trained),
            ("grad", gradients, first),
        ):
            for path, value in by_variable(text, assign_text_encoder, stored, initial).items():
                expected[f"{kind}/text/{path}"] = value
                actual[f"{kind}/text/{path}"] = here[f"{text.name}/{path}"]
        for name in (name for name in expected if name.startswith("grad/")):
            for side in (expected, actual):
                side[name] = side[name] / np.max(np.abs(side[name]))
    return fixture, actual, expected


CASES = {"three steps of DAMSM's pretraining": pretraining_case}
