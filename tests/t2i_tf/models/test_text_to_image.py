"""`TextToImage`: what users of the library call."""

import shutil
import subprocess
import warnings

import numpy as np
import pytest
from PIL import Image

import t2i_tf
from data_pipeline.pixels import to_float
from t2i_tf.models import captions, model_directory
from t2i_tf.models.text_to_image import TextToImage, TokensToImage, repeated
from tests.commands import ROOT, command

CAPTIONS = ["a small red bird", "it has blue wings"]


@pytest.fixture(scope="module")
def model(small_model):
    return TextToImage(small_model)


def encoded(texts, small_model):
    return captions.encode(texts, small_model.vocabulary, 6).tokens


def close(pictures, expected):
    """Equal but for the rounding that another batch may bring."""
    difference = np.asarray(pictures, int) - np.asarray(expected, int)
    return np.abs(difference).max() <= 1


def test_one_caption_gives_its_pictures_and_a_list_those_of_each(model):
    alone = model.generate(CAPTIONS[0])
    assert (alone.shape, alone.dtype) == ((1, 32, 32, 3), np.uint8)
    assert alone.std() > 0
    several = model.generate(CAPTIONS[0], num_images=3)
    assert several.shape == (3, 32, 32, 3)
    listed = model.generate(CAPTIONS, num_images=3, batch_size=2)
    assert (listed.shape, listed.dtype) == ((2, 3, 32, 32, 3), np.uint8)
    assert close(several[:1], alone) and close(listed[0], several)
    assert not close(listed[0], listed[1])
    assert model.generate(CAPTIONS[:1]).shape == (1, 1, 32, 32, 3)


def test_seeds_count_up_from_the_first(model):
    pictures = model.generate(CAPTIONS, num_images=3, seed=4)
    for number in range(3):
        assert close(pictures[:, number], model.generate(CAPTIONS, seed=4 + number)[:, 0])
    assert not close(pictures[:, 0], pictures[:, 1])
    tokens, seeds = repeated(np.array([[1], [2]]), 2, seed=7)
    assert tokens.tolist() == [[1], [1], [2], [2]] and seeds.tolist() == [7, 8, 7, 8]
    assert seeds.dtype == np.int64


def test_pictures_are_those_of_the_network(model, small_model):
    network = TokensToImage(small_model.text_encoder, small_model.generator)
    tokens, seeds = repeated(encoded(CAPTIONS, small_model), 2, 5)
    expected = (network(tokens, seeds)["images"][-1].numpy() + 1.0) * 127.5
    pictures = model.generate(CAPTIONS, num_images=2, seed=5).reshape(-1, 32, 32, 3)
    np.testing.assert_allclose(pictures, expected, atol=0.51)


def test_a_loaded_model_draws_what_the_command_draws(model_dir, tmp_path):
    arguments = [f"--model_dir={model_dir}", f"--text={CAPTIONS[0]}", "--num_images=2", "--seed=3"]
    subprocess.run(
        command("t2i_tf.generate", *arguments, f"--output_dir={tmp_path}"), cwd=ROOT, check=True
    )
    pictures = t2i_tf.TextToImage.from_preset(model_dir).generate(CAPTIONS[0], 2, seed=3)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2
    for picture, path in zip(pictures, files, strict=True):
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(image), picture)


def test_batches_change_no_picture(model, small_model):
    tokens, seeds = repeated(encoded(CAPTIONS[:1], small_model), 5, 0)
    whole = [image for image, _ in model.draw(tokens, seeds)]
    parts = [image for image, _ in model.draw(tokens, seeds, batch_size=2)]
    np.testing.assert_allclose(np.stack(parts), np.stack(whole), atol=1)


def test_new_weights_show_in_the_next_picture(model, small_model):
    before = model.generate(CAPTIONS[0])
    weights = small_model.generator.get_weights()
    small_model.generator.set_weights([2 * values for values in weights])
    try:
        assert not close(model.generate(CAPTIONS[0]), before)
    finally:
        small_model.generator.set_weights(weights)
    np.testing.assert_array_equal(model.generate(CAPTIONS[0]), before)


def test_an_explanation_shows_every_stage_and_where_it_looked(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # The explanation tells of unknown words itself.
        found = model.explain("a red zorp bird", seed=3)
    assert [image.shape for image in found.images] == [(16, 16, 3), (32, 32, 3)]
    assert all(image.dtype == np.uint8 for image in found.images)
    assert close(found.images[-1], model.generate("a red bird", seed=3)[0])
    assert found.words == ["a", "red", "bird"] and found.unknown_words == ["zorp"]
    (maps,) = found.attention
    assert (maps.shape, maps.dtype) == ((16, 16, 3), np.float32)
    np.testing.assert_allclose(maps.sum(axis=-1), 1.0, rtol=1e-5)
    assert found.attention[0].std() > 0


def test_texts_are_encoded_as_the_encoder_does(model, small_model):
    words, sentences, mask = model.encode_text(CAPTIONS)
    tokens = encoded(CAPTIONS, small_model)
    expected_words, expected_sentences = small_model.text_encoder(tokens)
    np.testing.assert_array_equal(words, expected_words)
    np.testing.assert_array_equal(sentences, expected_sentences)
    np.testing.assert_array_equal(mask, tokens != 0)
    assert (words.shape, sentences.shape, mask.dtype) == ((2, 6, 16), (2, 16), bool)
    alone, _, _ = model.encode_text(CAPTIONS[1])
    np.testing.assert_allclose(alone, words[1:], atol=1e-6)


@pytest.mark.parametrize("where", ["memory", "directory"])
def test_similarity_is_the_cosine_of_the_codes(where, model, model_dir, small_model, rng):
    asked = model if where == "memory" else TextToImage.from_preset(model_dir)
    pictures = rng.integers(0, 256, (3, 32, 32, 3), np.uint8)
    found = asked.similarity(pictures, CAPTIONS)
    codes = small_model.image_encoder(to_float(pictures))[1].numpy()
    _, sentences, _ = model.encode_text(CAPTIONS)
    for row, code in enumerate(codes):
        for column, sentence in enumerate(sentences):
            cosine = code @ sentence / np.linalg.norm(code) / np.linalg.norm(sentence)
            assert found[row, column] == pytest.approx(cosine, abs=1e-5)
    assert found.shape == (3, 2) and np.abs(found).max() <= 1.0 + 1e-6
    assert asked.similarity(pictures, CAPTIONS[0]).shape == (3, 1)


def test_a_model_without_image_encoder_says_so(small_model, model_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(model_dir)  # Another model's, which is not to be taken.
    pictures = np.zeros((1, 32, 32, 3), np.uint8)
    parts = small_model.config, small_model.vocabulary, small_model.text_encoder
    bare = model_directory.ModelDirectory(*parts, None, small_model.generator)
    with pytest.raises(t2i_tf.UserError, match="no image encoder"):
        TextToImage(bare).similarity(pictures, CAPTIONS)
    copy = shutil.copytree(model_dir, tmp_path / "copy")
    (copy / "image_encoder.weights.h5").unlink()
    loaded = TextToImage.from_preset(copy)
    with pytest.raises(t2i_tf.UserError, match="copy .*lacks image_encoder.weights.h5"):
        loaded.similarity(pictures, CAPTIONS)


@pytest.mark.parametrize("method", ["generate", "encode_text"])
def test_what_is_not_read_is_warned_of_where_it_was_asked(method, model):
    with pytest.warns(UserWarning, match="does not know: zorp") as caught:
        getattr(model, method)("a zorp bird")
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="kept the first 6 of 8 words"):
        getattr(model, method)("a bird " * 4)


def test_a_caption_without_a_known_word_is_refused(model):
    for asked in (
        lambda: model.generate(["a bird", "zorp"]),
        lambda: model.explain("zorp"),
        lambda: model.encode_text("zorp"),
        lambda: model.similarity(np.zeros((1, 32, 32, 3), np.uint8), "zorp"),
    ):
        with pytest.raises(t2i_tf.UserError, match="knows no word of the caption 'zorp'"):
            asked()


def test_given_noise_draws_the_same_row_by_row(model, small_model, rng):
    tokens = encoded(CAPTIONS, small_model)
    noise = rng.normal(size=(2, 4)).astype("float32")
    pictures = model.draw_from_noise(tokens, noise)
    assert (pictures.shape, pictures.dtype) == ((2, 32, 32, 3), np.uint8)
    expected = model.network.from_noise(tokens, noise)["images"][-1].numpy()
    np.testing.assert_allclose(pictures, (expected + 1.0) * 127.5, atol=0.51)


def test_a_generator_without_attention_draws_without_maps(small_config, small_model):
    from t2i_tf.networks import build

    config = small_config.copy_and_resolve_references()
    config.generator.update(attention="none", image_heads="last")
    generator = build.generator(config)
    parts = config, small_model.vocabulary, small_model.text_encoder, None, generator
    model = TextToImage(model_directory.ModelDirectory(*parts))
    assert model.image_size == 32
    tokens, seeds = repeated(encoded(CAPTIONS, small_model), 1, 0)
    assert [maps for _, maps in model.draw(tokens, seeds)] == [None, None]
    found = model.explain(CAPTIONS[0])
    assert found.attention == [] and [image.shape for image in found.images] == [(32, 32, 3)]


def test_the_bundled_model_is_a_preset():
    model = TextToImage.from_preset("bundled")
    assert model_directory.find("bundled") == model_directory.PRESETS["bundled"]
    assert model.generate("a red bird").shape == (1, model.image_size, model.image_size, 3)
    with pytest.raises(t2i_tf.UserError, match="nonsense is no model directory"):
        TextToImage.from_preset("nonsense")


def test_captions_may_be_longer_than_in_training(model_dir, small_config):
    words = small_config.data.max_words
    caption = " ".join(["red", "bird", "with", "blue"] * 3)
    short, long = (TextToImage.from_preset(model_dir, n) for n in (None, 2 * words))
    with pytest.warns(UserWarning, match=f"kept the first {words} of 12 words"):
        assert short.encode_text(caption)[2].sum() == words
    with warnings.catch_warnings(action="error"):
        assert long.encode_text(caption)[2].sum() == 2 * words
        assert (long.generate(caption) != short.generate("red bird with blue")).any()


@pytest.mark.parametrize(
    "arguments", [{"num_images": 0}, {"num_images": 1.5}, {"batch_size": 0}, {"seed": -1}]
)
def test_numbers_out_of_range_are_named(model, arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"^{name} must be a whole number"):
        model.generate(CAPTIONS, **arguments)


def test_what_is_no_picture_or_text_is_refused(model):
    with pytest.raises(ValueError, match=r"uint8 \[N, H, W, 3\].*got float32 \[2, 8, 8, 3\]"):
        model.similarity(np.zeros([2, 8, 8, 3], "float32"), CAPTIONS)
    with pytest.raises(ValueError, match=r"picture\[None\]\), got uint8 \[8, 8, 3\]"):
        model.similarity(np.zeros([8, 8, 3], "uint8"), CAPTIONS)
    with pytest.raises(TypeError, match="a caption must be text, got 3"):
        model.generate([3])


def test_no_captions_have_no_features(model):
    words, sentences, mask = model.encode_text([])
    assert len(words) == len(sentences) == len(mask) == 0


def test_a_folder_that_is_not_there_is_named():
    with pytest.raises(
        t2i_tf.UserError, match="bundeld is no model directory: there is no such folder"
    ):
        TextToImage.from_preset("bundeld")
