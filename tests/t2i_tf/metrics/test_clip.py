"""CLIP as a judge: one of keras-hub's own classes with random weights, in its own folder."""

import builtins
import json

import numpy as np
import pytest

from data_pipeline.support.errors import UserError
from t2i_tf.metrics import clip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A preset folder of the smallest CLIP."""
    hub = pytest.importorskip("keras_hub", reason="keras-hub is an extra")
    pytest.importorskip("tensorflow_text", exc_type=ImportError)  # of CLIP's tokenizer
    vision = hub.models.CLIPVisionEncoder(
        patch_size=8, hidden_dim=16, num_layers=1, num_heads=2, intermediate_dim=16,
        image_shape=(16, 16, 3),
    )  # fmt: skip
    words = ["!", "a</w>", "red</w>", "blue</w>", "b", "i", "r", "d</w>", "a", "e", "d", "l", "u"]
    words += ["e</w>", "<|startoftext|>", "<|endoftext|>"]
    text = hub.models.CLIPTextEncoder(
        vocabulary_size=len(words), embedding_dim=16, hidden_dim=16, num_layers=1, num_heads=2,
        intermediate_dim=16, max_sequence_length=8,
    )  # fmt: skip
    backbone = hub.models.CLIPBackbone(vision, text, projection_dim=12)
    vocabulary = {word: i for i, word in enumerate(words)}
    tokenizer = hub.models.CLIPTokenizer(vocabulary=vocabulary, merges=[])
    converter = hub.layers.CLIPImageConverter(image_size=(16, 16), scale=1 / 127.5, offset=-1.0)
    preprocessor = hub.models.CLIPPreprocessor(tokenizer, converter, sequence_length=8)
    folder = tmp_path_factory.mktemp("clip") / "tiny"
    backbone.save_to_preset(str(folder))
    preprocessor.save_to_preset(str(folder))
    return folder


def test_clip_gives_codes_of_pictures_and_captions(folder, rng):
    judge = clip.judge(folder)
    pictures = rng.integers(0, 256, (3, 20, 20, 3), np.uint8)
    codes, classes = judge.extractor(pictures)
    assert codes.shape == (3, judge.extractor.dim) == (3, 12) and classes is None
    sentences = judge.sentences(["a red bird", "A RED bird", "a blue bird"])
    np.testing.assert_allclose(sentences[0], sentences[1], rtol=1e-5)
    assert np.abs(sentences[0] - sentences[2]).max() > 1e-4
    again = clip.judge(folder)
    np.testing.assert_array_equal(again.extractor(pictures)[0], codes)
    assert again.described() == judge.described()


def test_folders_without_clip_are_refused(tmp_path):
    pytest.importorskip("keras_hub", reason="keras-hub is an extra")
    (tmp_path / "config.json").write_text(json.dumps({}))
    with pytest.raises(UserError, match="is no CLIP that keras-hub can load"):
        clip.judge(tmp_path)


def test_missing_keras_hub_is_named(monkeypatch):
    real_import = builtins.__import__

    def without(name, *arguments, **options):
        if name == "keras_hub":
            raise ImportError(name)
        return real_import(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"pip install -r requirements-clip\.txt"):
        clip.judge("clip_vit_base_patch32")
