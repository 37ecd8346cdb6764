"""Exports of a model that reads wordpieces: their ops, their words, and who loads them."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from data_pipeline.text.vocabulary import END, WordpieceVocabulary
from export import saved_model
from t2i_tf.models import model_directory
from t2i_tf.models.text_to_image import TextToImage
from t2i_tf.networks import build
from tests.commands import ROOT

PIECES = ["крас", "##н", "##ая", "##ой", "птиц", "##а", "с", "red", "café", "##s", "鸟"]
TEXTS = ["Красная ПТИЦА", "птица с красной zebra", "ｒｅｄ cafe\u0301s", "鸟鸟"]
TEXT_OPS = {"NormalizeUTF8", "FastWordpieceTokenizeWithOffsets"}


@pytest.fixture(scope="module")
def pieces_model(small_config, tmp_path_factory):
    vocabulary = WordpieceVocabulary([END, *PIECES])
    text_encoder = build.text_encoder(small_config, len(vocabulary))
    generator = build.generator(small_config)
    model = model_directory.ModelDirectory(
        small_config, vocabulary, text_encoder, generator=generator
    )
    directory = tmp_path_factory.mktemp("models") / "pieces"
    model_directory.save(directory, model, "# Pieces\n")
    return directory


@pytest.fixture(scope="module")
def exported(pieces_model, tmp_path_factory):
    return saved_model.export(pieces_model, tmp_path_factory.mktemp("served") / "pieces")


def ops_of(version):
    content = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    return {op.name for op in content.meta_graphs[0].meta_info_def.stripped_op_list.op}


def test_the_saved_model_draws_and_reads_as_the_python_path(exported, pieces_model):
    model = TextToImage.from_preset(pieces_model)
    signatures = tf.saved_model.load(str(exported)).signatures
    seeds = tf.constant([3] * len(TEXTS), tf.int64)
    answer = signatures["explain"](text=tf.constant(TEXTS), seed=seeds)
    for row, text in enumerate(TEXTS):
        explained = model.explain(text, seed=3)
        words = [word.decode() for word in answer["tokens"].numpy()[row] if word]
        assert words == explained.words
        drawn = answer["image_1"].numpy()[row].astype(int)
        assert np.abs(drawn - explained.images[-1]).max() <= 1
    assert model.explain(TEXTS[1]).unknown_words == ["zebra"]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"no word of row 0 \(zebra\)"):
        signatures["encode_text"](text=tf.constant(["zebra"]))


def test_ops_are_those_that_the_card_names(exported, model_dir, tmp_path):
    assert ops_of(exported) >= TEXT_OPS
    assert "`import tensorflow_text`" in (exported / "assets.extra" / "README.md").read_text()
    words = saved_model.export(model_dir, tmp_path / "words")
    assert not ops_of(words) & TEXT_OPS
    assert "Core TensorFlow ops only" in (words / "assets.extra" / "README.md").read_text()


def test_the_server_loads_it_in_a_fresh_process(exported):
    code = (
        "import sys, numpy as np; from pathlib import Path; from export.server.models import "
        "Version; assert 'tensorflow_text' not in sys.modules; "
        "version = Version(1, Path(sys.argv[1])); "
        "answer = version.run(version.signature('encode_text'), {'text': np.array(['red'])}); "
        "print(answer['words'].shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(exported)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.strip() == "(1, 1, 16)", done.stderr[-2000:]
