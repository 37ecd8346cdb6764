"""The answers of an exported model, against the Python path."""

import io
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf import saved_model_pb2

from data_pipeline.pixels import to_uint8
from export import saved_model
from export.saved_model.endpoints import HASH_BUCKETS
from t2i_tf.models import captions, model_directory
from t2i_tf.models.text_to_image import TokensToImage

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
    network = TokensToImage(small_model.text_encoder, small_model.generator)
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


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    """`generate` of the bundled model, whose pictures show birds."""
    path = saved_model.export("bundled:64", tmp_path_factory.mktemp("served"))
    return tf.saved_model.load(str(path)).signatures["generate"]


@pytest.mark.parametrize(("size", "position"), [(2, 1), (3, 0), (8, 5), (17, 16)])
@pytest.mark.parametrize("other", ["bird", "a yellow bird with a long tail " * 5])
def test_picture_does_not_depend_on_the_batch(bundled, size, position, other):
    texts, seeds = [other] * size, list(range(size))
    texts[position], seeds[position] = "a small red bird with black wings", 2**40 + 7
    image = bundled(text=tf.constant(texts), seed=tf.constant(seeds, tf.int64))["image"].numpy()
    text, seed = texts[position : position + 1], seeds[position : position + 1]
    alone = bundled(text=tf.constant(text), seed=tf.constant(seed, tf.int64))["image"].numpy()
    assert np.ptp(alone) > 100
    assert_same_pictures(image[position], alone[0])
    assert not np.array_equal(image[position - 1], alone[0])


def test_bundled_model_draws_as_the_python_path(bundled):
    model = model_directory.load("bundled:64")
    tokens = captions.encode(["a blue bird", "a red bird"], model.vocabulary, 18).tokens
    seeds = tf.constant([1, 2], tf.int64)
    drawn = TokensToImage(model.text_encoder, model.generator)(tf.constant(tokens), seeds)
    image = bundled(text=tf.constant(["a blue bird", "a red bird"]), seed=seeds)["image"].numpy()
    assert_same_pictures(image, to_uint8(drawn["images"][-1]).numpy())


def test_serving_default_seeds_with_the_texts_hash(signatures):
    files = call(signatures, "serving_default")["image_bytes"].numpy()
    seed = tf.strings.to_hash_bucket_fast(TEXTS, HASH_BUCKETS)
    images = call(signatures, "generate", seed=seed)["image"].numpy()
    for file, image in zip(files, images, strict=True):
        assert_same_pictures(np.asarray(Image.open(io.BytesIO(file))), image)


def test_generate_from_noise_uses_the_conditions_mean(signatures, small_model, tokens, rng):
    noise = rng.normal(size=(3, 4)).astype("float32")
    answer = call(signatures, "generate_from_noise", noise=tf.constant(noise))
    network = TokensToImage(small_model.text_encoder, small_model.generator)
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
        "red\U0001f426bird \U0001f426",
        "\ufeffbird \ufffd red\ufffd\ufffd\ufffdwings",
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


@pytest.mark.parametrize(
    "text", [b"\xff\xfe", b"\x00", b"\xed\xa0\x80", "\U0001f426", "zorp" * 10**6]
)
def test_bytes_without_a_word_fail_too(text, signatures):
    with pytest.raises(tf.errors.InvalidArgumentError, match="no word of row 0") as caught:
        call(signatures, "generate", [text])
    assert len(str(caught.value)) < 10_000


def test_bytes_that_are_no_text_separate_words(signatures):
    texts = [b"red\xffbird", b"red\xe2\x82 bird", b"red\x00bird", b"\xc0\xafred bird"]
    assert [
        list(row)
        for row in call(signatures, "explain", texts, seed=tf.range(4, dtype="int64"))[
            "tokens"
        ].numpy()
    ] == [[b"red", b"bird"]] * 4


def test_a_caption_of_megabytes_is_cut(signatures):
    seed = tf.constant([1], tf.int64)
    long, short = (
        call(signatures, "generate", ["red bird " * times], seed=seed)["image"].numpy()
        for times in (200_000, 3)
    )
    np.testing.assert_array_equal(long, short)


def test_only_the_first_unknown_texts_are_named(signatures):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"row 9 \(\)") as caught:
        call(signatures, "encode_text", [""] * 500)
    assert "row 10" not in str(caught.value)


@pytest.mark.parametrize("rows", [1, 3])
def test_unequal_numbers_of_texts_and_seeds_fail(rows, signatures):
    with pytest.raises(tf.errors.InvalidArgumentError):
        call(signatures, "generate", ["red"] * 2, seed=tf.range(rows, dtype=tf.int64))


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


def test_vocabulary_and_card_travel_along(exported, model_dir, small_config):
    name = "vocabulary.txt"
    assert (exported / "assets" / name).read_bytes() == (model_dir / name).read_bytes()
    card = (exported / "assets.extra" / "README.md").read_text()
    assert card.startswith((model_dir / "README.md").read_text())
    config = json.loads(card.split("```json\n")[1].split("```")[0])
    assert config == small_config.to_dict()
    graph = (exported / "saved_model.pb").read_bytes()
    assert str(model_dir.parent).encode() not in graph
