"""What several test files share: random numbers and a small model of random weights."""

import keras
import ml_collections
import numpy as np
import pytest

from data_pipeline.text.vocabulary import Vocabulary
from t2i_tf.models import model_directory
from t2i_tf.networks import build
from tests.commands import run

WORDS = "a this small red blue green bird with belly wings and crown it has the is"


@pytest.fixture(autouse=True)
def seeded():
    """Every test starts from the same global seed."""
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def small_config():
    """A config of the smallest networks: images of 16 and 32 pixels."""
    return ml_collections.ConfigDict(
        dict(
            name="small",
            seed=1,
            data=dict(image_size=32, max_words=6),
            text_encoder=dict(cell="lstm", embedding_dim=8, units=16, dropout=0.1),
            image_encoder=dict(kind="small", input_size=64, filters=4),
            generator=dict(
                stages=2,
                filters=8,
                noise_dim=4,
                condition_dim=6,
                residual_blocks=1,
                base_size=16,
                normalize_sentence=True,
            ),
        )
    )


@pytest.fixture(scope="session")
def small_model(small_config):
    """A `ModelDirectory` of random weights."""
    keras.utils.set_random_seed(0)
    vocabulary = Vocabulary(["<end>", *WORDS.split()])
    text_encoder = build.text_encoder(small_config, len(vocabulary))
    image_encoder = build.image_encoder(small_config)
    generator = build.generator(small_config)
    return model_directory.ModelDirectory(
        small_config, vocabulary, text_encoder, image_encoder, generator
    )


@pytest.fixture(scope="session")
def model_dir(small_model, tmp_path_factory):
    """The model directory of `small_model`. Read only: tests that change it copy it first."""
    directory = tmp_path_factory.mktemp("models") / "small"
    model_directory.save(directory, small_model, "# A model of random weights\n")
    return directory


@pytest.fixture
def rng():
    """A generator of the same random numbers for every test."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    """A data set of a few drawn birds of 64 px."""
    folder = tmp_path_factory.mktemp("birds")
    run(
        "data_pipeline.build_tfrecords",
        "--source=synthetic",
        f"--output_dir={folder / 'data'}",
        "--image_size=64",
        "--num_train=12",
        "--num_test=6",
        "--variety=plain",
        "--picture_size=128",
        "--num_shards=2",
    )
    return folder / "data"


@pytest.fixture(scope="session")
def tiny_damsm(tiny_data, tmp_path_factory):
    """A run of `configs/tiny_damsm.py`, of two steps."""
    workdir = tmp_path_factory.mktemp("damsm")
    run(
        "t2i_tf.pretrain_damsm",
        "--config=configs/tiny_damsm.py",
        "--config.train.batch_size=4",
        "--config.train.steps=2",
        "--config.train.steps_per_checkpoint=1",
        f"--data_dir={tiny_data}",
        f"--workdir={workdir}",
    )
    return workdir
