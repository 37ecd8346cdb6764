"""Models in this process and behind a server draw the same, and pass for one another."""

import threading

import numpy as np
import pytest

from benchmarks import load
from data_pipeline.support.errors import UserError
from export import saved_model
from export.app import models
from export.app.asked import Asked
from export.app.models import Local
from t2i_tf.models.text_to_image import TextToImage

ASKED = Asked("a small red bird has it", seed=5, number=6)


@pytest.fixture(scope="module")
def local(small_model):
    return Local("small", TextToImage(small_model), threading.Lock())


@pytest.fixture(scope="module")
def server(model_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "small"
    saved_model.export(model_dir, folder)
    with load.Server(folder) as server:
        yield server


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_a_server_draws_and_explains_as_the_model_does(local, server, scheme):
    port = server.rest_port if scheme else server.grpc_port
    (served,) = models.load([], f"{scheme}127.0.0.1:{port}", "small")
    expected, drawn = list(local.pictures(ASKED)), list(served.pictures(ASKED))
    np.testing.assert_allclose(np.int16(drawn), np.int16(expected), atol=1)
    ours, theirs = local.explain(ASKED), served.explain(ASKED)
    assert theirs.words == ours.words == ASKED.caption.split()[:6]
    for one, other in zip(ours.images, theirs.images, strict=True):
        np.testing.assert_allclose(np.int16(other), np.int16(one), atol=1)
    for one, other in zip(ours.attention, theirs.attention, strict=True):
        np.testing.assert_allclose(other[..., : len(ours.words)], one, atol=1e-4)
    with pytest.raises(UserError, match="the server did not draw this.*knows no word"):
        next(served.pictures(Asked("xyzzy")))


def test_models_of_one_name_are_told_apart(model_dir):
    loaded = models.load([str(model_dir), str(model_dir)], None, "")
    assert [model.name for model in loaded] == ["small", "small (2)"]


def test_words_that_no_model_knows_are_named(local):
    with pytest.raises(UserError, match="small knows no word of this caption: xyzzy, plugh"):
        next(local.pictures(Asked("xyzzy plugh")))
