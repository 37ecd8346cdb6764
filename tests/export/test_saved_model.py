"""What an exported model answers, against the Python path and in a process without the package."""

import io
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf import saved_model_pb2

from data_pipeline.errors import UserError
from export import saved_model
from export.endpoints import HASH_BUCKETS
from t2i_tf import captions
from t2i_tf.text_to_image import TextToImage, to_uint8

TEXTS = ["A small RED, zorp bird!", "it", "this bird has a blue belly with green wings and a crown"]
SEEDS = [7, 0, 2**62]


@pytest.fixture(scope="module")
def exported(model_dir, tmp_path_factory):
    return saved_model.export(model_dir, tmp_path_factory.mktemp("served") / "small")


@pytest.fixture(scope="module")
def signatures(exported):
    return tf.saved_model.load(str(exported)).signatures


@pytest.fixture(scope="module")
def tokens(small_model):
    return captions.encode(TEXTS, small_model.vocabulary, 6).tokens


@pytest.fixture(scope="module")
def drawn(small_model, tokens):
    network = TextToImage(small_model.text_encoder, small_model.generator)
    return network(tf.constant(tokens), tf.constant(SEEDS, tf.int64))


def call(signatures, name, texts=TEXTS, **inputs):
    inputs = {"text": tf.constant(texts, tf.string), **inputs}
    if name in ("generate", "explain"):
        inputs.setdefault("seed", tf.constant(SEEDS[: len(texts)], tf.int64))
    if name == "generate_from_noise":
        inputs.setdefault("noise", tf.zeros([len(texts), 4]))
    return signatures[name](**inputs)


def assert_same_pictures(one, other):
    assert one.shape == other.shape and one.dtype == other.dtype == np.uint8
    assert np.abs(one.astype(int) - other.astype(int)).max() <= 1


def test_generate_equals_the_python_path(signatures, drawn):
    image = call(signatures, "generate")["image"].numpy()
    assert_same_pictures(image, to_uint8(drawn["images"][-1]).numpy())


def test_generate_does_not_depend_on_the_batch(signatures):
    together = call(signatures, "generate")["image"].numpy()
    for row, (text, seed) in enumerate(zip(TEXTS, SEEDS, strict=True)):
        alone = call(signatures, "generate", [text], seed=tf.constant([seed], tf.int64))["image"]
        assert_same_pictures(alone.numpy()[0], together[row])


def test_serving_default_seeds_with_the_texts_hash(signatures):
    files = call(signatures, "serving_default")["image_bytes"].numpy()
    seed = tf.strings.to_hash_bucket_fast(TEXTS, HASH_BUCKETS)
    images = call(signatures, "generate", seed=seed)["image"].numpy()
    for file, image in zip(files, images, strict=True):
        assert_same_pictures(np.asarray(Image.open(io.BytesIO(file))), image)


def test_generate_from_noise_uses_the_conditions_mean(signatures, small_model, tokens, rng):
    noise = rng.normal(size=(3, 4)).astype("float32")
    answer = call(signatures, "generate_from_noise", noise=tf.constant(noise))
    network = TextToImage(small_model.text_encoder, small_model.generator)
    expected = network.from_noise(tf.constant(tokens), noise)["images"][-1]
    np.testing.assert_allclose(answer["image_float"], expected, atol=1e-5)
    assert_same_pictures(answer["image"].numpy(), to_uint8(expected).numpy())


def test_explain_shows_every_stage_and_the_words(signatures, drawn):
    answer = call(signatures, "explain")
    assert sorted(answer) == ["attention_1", "image_0", "image_1", "tokens"]
    for stage, images in enumerate(drawn["images"]):
        assert_same_pictures(answer[f"image_{stage}"].numpy(), to_uint8(images).numpy())
    np.testing.assert_allclose(answer["attention_1"], drawn["attention"][0], atol=1e-5)
    assert [[word.decode() for word in row if word] for row in answer["tokens"].numpy()] == [
        ["a", "small", "red", "bird"],
        ["it"],
        ["this", "bird", "has", "a", "blue", "belly"],  # max_words = 6
    ]


def test_encode_text_equals_the_encoder(signatures, small_model, tokens):
    answer = call(signatures, "encode_text")
    words, sentence = small_model.text_encoder(tokens)
    np.testing.assert_allclose(answer["words"], words, atol=1e-5)
    np.testing.assert_allclose(answer["sentence"], sentence, atol=1e-5)
    np.testing.assert_array_equal(answer["mask"], tokens != 0)


@pytest.mark.parametrize(
    "text",
    [
        "Blue\ufffd\ufffdBIRD wings",
        "réd bird",
        "bird\x00\twings",
        "A bird, with: blue_ wings",
        "IT'S ῼ",
    ],
)
def test_text_is_read_as_by_the_vocabulary(text, signatures, small_model):
    ids, _ = small_model.vocabulary.encode(text)
    tokens = call(signatures, "explain", [text])["tokens"].numpy()[0]
    assert [small_model.vocabulary.index[word.decode()] for word in tokens] == ids


@pytest.mark.parametrize("name", ["serving_default", "generate", "generate_from_noise", "explain"])
def test_batch_of_none(name, signatures):
    for output, values in call(signatures, name, []).items():
        full = signatures[name].structured_outputs[output].shape
        assert values.shape[0] == 0 and values.shape[1:].is_compatible_with(full[1:]), output


@pytest.mark.parametrize(
    "name", ["serving_default", "generate", "generate_from_noise", "explain", "encode_text"]
)
def test_unknown_text_fails_and_names_its_row(name, signatures):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"no word of row 1 \(zorp\), row 2 \(\)"
    ):
        call(signatures, name, ["a bird", "zorp", ""])


def test_bytes_that_are_no_text_fail_too(signatures):
    with pytest.raises(tf.errors.InvalidArgumentError, match="no word of row 0"):
        call(signatures, "generate", [b"\xff\xfe"])


def test_only_ops_that_serving_has(exported):
    """Nothing in the graphs calls back into Python or asks for a GPU."""
    parsed = saved_model_pb2.SavedModel.FromString((exported / "saved_model.pb").read_bytes())
    graph = parsed.meta_graphs[0].graph_def
    ops = {
        node.op
        for nodes in [graph.node, *(f.node_def for f in graph.library.function)]
        for node in nodes
    }
    assert "Conv2D" in ops and "LookupTableFindV2" in ops
    assert not [op for op in ops if "PyFunc" in op or "Cudnn" in op]


PROGRAM = """
import sys
import tensorflow as tf
for missing in ("keras", "t2i_tf", "data_pipeline", "tensorflow_text"):
    sys.modules[missing] = None  # to import it is an error now
signatures = tf.saved_model.load(sys.argv[1]).signatures
text = tf.constant(["a red bird"])
print(signatures["generate"](text=text, seed=tf.constant([3], tf.int64))["image"].shape)
"""


def test_runs_in_tensorflow_alone(exported, tmp_path):
    """From another folder than the one it was written to; TensorFlow's own ops are enough."""
    moved = shutil.copytree(exported, tmp_path / "moved")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(moved)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["(1, 32, 32, 3)"]


def test_vocabulary_and_card_travel_along(exported, model_dir, small_config):
    name = "vocabulary.txt"
    assert (exported / "assets" / name).read_bytes() == (model_dir / name).read_bytes()
    card = (exported / "assets.extra" / "README.md").read_text()
    assert card.startswith((model_dir / "README.md").read_text())
    config = json.loads(card.split("```json\n")[1].split("```")[0])
    assert config == small_config.to_dict()
    graph = (exported / "saved_model.pb").read_bytes()
    assert str(model_dir.parent).encode() not in graph


def test_versions_count_up_and_are_not_replaced(model_dir, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(
        saved_model, "_write", lambda model, path: (path.mkdir(), written.append(1))
    )
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "old").touch()
    assert saved_model.export(model_dir, tmp_path) == tmp_path / "8"
    with pytest.raises(UserError, match="7 exists already"):
        saved_model.export(model_dir, tmp_path, version=7)
    assert len(written) == 1 and (tmp_path / "7" / "old").exists()
    saved_model.export(model_dir, tmp_path, version=7, overwrite=True)
    assert not (tmp_path / "7" / "old").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["7", "8"]


def test_failed_export_leaves_no_version(model_dir, tmp_path, monkeypatch):
    def fail(model, path):
        path.mkdir()
        raise RuntimeError("disk full")

    monkeypatch.setattr(saved_model, "_write", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        saved_model.export(model_dir, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".1.partial"]


def test_a_folder_that_cannot_be_written_is_told(model_dir, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file is a file: give a folder"):
        saved_model.export(model_dir, tmp_path / "file")


def test_a_full_disk_is_told_and_nothing_is_left(model_dir, tmp_path, monkeypatch):
    def fail(model, path):
        path.mkdir()
        raise saved_model.tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(saved_model, "_write", fail)
    with pytest.raises(UserError, match="cannot write .*1: No space left on device"):
        saved_model.export(model_dir, tmp_path)
    assert not list(tmp_path.iterdir())


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="is no model directory"):
        saved_model.export(tmp_path, tmp_path / "served")
    assert not (tmp_path / "served").exists()
