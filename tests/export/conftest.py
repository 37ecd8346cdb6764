"""Fixtures that the tests of several exports share."""

import pytest

from export import tflite
from t2i_tf.models import model_directory


@pytest.fixture(scope="session")
def phone(tmp_path_factory):
    """The bundled model's LiteRT files, by variant: a dict of `Measured`."""
    folder = tmp_path_factory.mktemp("phone")
    return {row.variant: row for row in tflite.export("bundled:64", folder)}


@pytest.fixture(scope="session")
def bundled():
    """The model that comes with the package."""
    return model_directory.load("bundled:64")
