import numpy as np
import pytest

from t2i_tf.networks.discriminator import Discriminator
from t2i_tf.networks.generator import Generator
from t2i_tf.networks.image_encoder import AveragePoolingWithPadding, build_image_encoder
from t2i_tf.networks.text_encoder import TextEncoder


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_text_encoder_ignores_padding(cell, unroll):
    encoder = TextEncoder(20, units=8, embedding_dim=6, cell=cell, unroll=unroll)
    tokens = np.array([[3, 7, 2, 0, 0], [5, 1, 4, 9, 8]], "int32")
    words, sentence = encoder(tokens)
    assert words.shape == (2, 5, 8)
    assert np.all(np.array(words)[0, 3:] == 0)
    alone_words, alone_sentence = encoder(tokens[:1, :3])
    np.testing.assert_allclose(words[:1, :3], alone_words, atol=1e-6)
    np.testing.assert_allclose(sentence[:1], alone_sentence, atol=1e-6)


def test_sentence_is_both_directions_last_state():
    encoder = TextEncoder(20, units=8, embedding_dim=6)
    words, sentence = encoder(np.array([[3, 7, 2, 0]], "int32"))
    np.testing.assert_allclose(sentence[0, :4], words[0, 2, :4], atol=1e-6)
    np.testing.assert_allclose(sentence[0, 4:], words[0, 0, 4:], atol=1e-6)


def test_unknown_cell_is_refused():
    with pytest.raises(ValueError, match="cell must be one of"):
        TextEncoder(20, cell="rnn")


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_generator_draws_an_image_a_stage(stages, rng):
    generator = Generator(
        stages, filters=4, noise_dim=6, condition_dim=5, residual_blocks=1, base_size=16
    )
    mask = np.array([[True] * 7, [True] * 3 + [False] * 4])
    drawn = generator(
        *(rng.normal(size=size).astype("f") for size in ((2, 8), (2, 7, 8))),
        mask,
        *(rng.normal(size=size).astype("f") for size in ((2, 6), (2, 5))),
    )
    sizes = [16 * 2**i for i in range(stages)]
    assert generator.image_sizes == tuple(sizes)
    assert [image.shape for image in drawn["images"]] == [(2, s, s, 3) for s in sizes]
    assert [m.shape for m in drawn["attention"]] == [(2, s, s, 7) for s in sizes[:-1]]
    assert all(np.abs(image).max() <= 1 for image in drawn["images"])


@pytest.mark.parametrize("norm", ["batch", "spectral"])
@pytest.mark.parametrize("size", [32, 64, 128])
def test_discriminator_ends_in_8_df_channels_and_two_logits(size, norm, rng):
    network = Discriminator(size, filters=2, norm=norm)
    images = rng.normal(size=(3, size, size, 3)).astype("f")
    alone, joint = network(images, rng.normal(size=(3, 8)).astype("f"))
    assert alone.shape == joint.shape == (3,)
    assert network.features(images).shape == (3, 4, 4, min(2 * size // 8, 16))


def test_networks_survive_saving(rng, tmp_path):
    encoder = TextEncoder(20, units=8, embedding_dim=6)
    tokens = np.array([[3, 7, 2, 0]], "int32")
    words, _ = encoder(tokens)
    encoder.save_weights(tmp_path / "text.weights.h5")
    again = TextEncoder.from_config(encoder.get_config())
    again(tokens)
    again.load_weights(tmp_path / "text.weights.h5")
    np.testing.assert_array_equal(words, again(tokens)[0])


def test_small_image_encoder_resizes_what_it_is_given(rng):
    encoder = build_image_encoder("small", 8, input_size=64, filters=4)
    regions, code = encoder(rng.uniform(-1, 1, size=(2, 96, 96, 3)).astype("f"))
    assert regions.shape == (2, 8, 8, 8)
    assert code.shape == (2, 8)


def test_average_pooling_counts_the_padding():
    pooled = AveragePoolingWithPadding()(np.ones((1, 3, 3, 1), "f"))
    np.testing.assert_allclose(pooled[0, :, :, 0] * 9, [[4, 6, 4], [6, 9, 6], [4, 6, 4]], rtol=1e-6)


def test_inception_encoder_has_the_published_shapes(rng):
    encoder = build_image_encoder("inception_v3", 16, weights="random")
    regions, code = encoder(rng.uniform(-1, 1, size=(1, 64, 64, 3)).astype("f"))
    assert regions.shape == (1, 17, 17, 16)
    assert code.shape == (1, 16)
    assert encoder.trunk.output_shape == [(None, 17, 17, 768), (None, 2048)]
    assert [v.path for v in encoder.trainable_variables] == [
        v.path for layer in (encoder.regions, encoder.code) for v in layer.trainable_variables
    ]


@pytest.mark.parametrize("attention", ["textual", "none", "dual"])
@pytest.mark.parametrize("image_heads", ["all", "last"])
def test_every_kind_of_generator_draws_and_attends(attention, image_heads, rng):
    generator = Generator(
        3,
        filters=4,
        noise_dim=6,
        condition_dim=5,
        residual_blocks=1,
        base_size=16,
        attention=attention,
        image_heads=image_heads,
    )
    shapes = (2, 8), (2, 7, 8), (2, 7), (2, 6), (2, 5)
    sentence, words, mask, noise, eps = (rng.normal(size=size).astype("f") for size in shapes)
    drawn = generator(sentence, words, mask > -5, noise, eps)
    sizes = (16, 32, 64) if image_heads == "all" else (64,)
    assert generator.image_sizes == sizes
    assert [image.shape for image in drawn["images"]] == [(2, s, s, 3) for s in sizes]
    attended = [] if attention == "none" else [16, 32]
    assert [m.shape for m in drawn["attention"]] == [(2, s, s, 7) for s in attended]
    again = Generator.from_config(generator.get_config())
    again(sentence, words, mask > -5, noise, eps)
    assert again.count_params() == generator.count_params()


@pytest.mark.parametrize("option", [dict(attention="words"), dict(image_heads="first")])
def test_unknown_generator_options_are_refused(option):
    with pytest.raises(ValueError, match=f"{next(iter(option))} must be one of"):
        Generator(**option)


def test_a_discriminator_may_go_without_its_unconditional_head(rng):
    network = Discriminator(32, filters=2, unconditional=False)
    images, sentence = (rng.normal(size=s).astype("f") for s in ((3, 32, 32, 3), (3, 8)))
    (joint,) = network(images, sentence)
    assert joint.shape == (3,)
    assert network.unconditional(network.features(images)) is None
    assert not network.get_config()["unconditional"]
