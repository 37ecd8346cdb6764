"""Published weights become a model directory, or one message says what is wrong with them."""

import json
import pickle
import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from configs import cub_attngan2
from data_pipeline.support.errors import UserError
from data_pipeline.text.vocabulary import Vocabulary
from export import saved_model
from t2i_tf import import_reference
from t2i_tf.models import captions, model_directory
from t2i_tf.models.text_to_image import TextToImage
from t2i_tf.networks import image_encoder
from t2i_tf.published import sizes as reference_sizes
from t2i_tf.training import warm_start
from tests import commands
from tests.parity.networks import discriminator, generator, load, text_encoder
from tests.published_files import WORDS, save, save_captions, state_dict, torch

SIZES = (64, 128, 256)
CAPTIONS = ["word1 word2 word3 word4", "word9"]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder of published files: small networks, in both containers."""
    folder = tmp_path_factory.mktemp("published")
    for name in ("text_encoder_lstm", "generator_b3", "discriminator_128"):
        save(state_dict(name), folder / f"{name}.pth", "old")
    for name in ("text_encoder_gru", "generator_dcgan", "discriminator_64", "discriminator_256"):
        save(state_dict(name), folder / f"{name}.pth", "zip")
    save_captions(folder / "captions.pickle")
    return folder


def import_files(output_dir, text_encoder, generator, captions=None, **options):
    """Runs the command's main with its flags' defaults."""
    values = dict(image_encoder=None, discriminators=[], vocabulary=None, max_words=18)
    values |= dict(align_corners=None, name=None, text_encoder=str(text_encoder))
    values |= dict(generator=str(generator), captions=captions and str(captions))
    options = SimpleNamespace(**(values | options | {"output_dir": str(output_dir)}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_reference.flags, "FLAGS", options)
        import_reference.main(["import_reference"])


@pytest.fixture(scope="module")
def imported(published, tmp_path_factory):
    """A model directory with discriminators."""
    directory = tmp_path_factory.mktemp("models") / "birds"
    import_files(
        directory,
        published / "text_encoder_lstm.pth",
        published / "generator_b3.pth",
        published / "captions.pickle",
        discriminators=[str(published / f"discriminator_{size}.pth") for size in SIZES],
    )
    return directory


def pictures(model):
    tokens = captions.encode(CAPTIONS, model.vocabulary, 18).tokens
    return np.stack([picture for picture, _ in TextToImage(model).draw(tokens, np.array([3, 4]))])


def given_directly(text, network):
    """The same model without any file between."""
    config = model_directory.ml_collections.ConfigDict({"data": {"max_words": 18}})
    return model_directory.ModelDirectory(config, Vocabulary(WORDS), text, None, network)


def test_the_imported_model_draws_what_the_weights_draw(imported):
    fixture = load("generator_b3")
    direct = given_directly(text_encoder("lstm")[0], generator(fixture, fixture.group("w/")))
    expected = pictures(direct).astype(int)
    assert expected.shape == (2, 256, 256, 3) and expected.std() > 5
    drawn = pictures(model_directory.load(imported))
    np.testing.assert_allclose(drawn, expected, atol=1)


def test_the_export_of_an_imported_model_draws_the_same(published, tmp_path):
    import_files(
        tmp_path / "model",
        published / "text_encoder_lstm.pth",
        save(state_dict("generator_b2"), tmp_path / "generator.pth"),
        published / "captions.pickle",
    )
    path = saved_model.export(tmp_path / "model", tmp_path / "served")
    signature = tf.saved_model.load(str(path)).signatures["generate"]
    seeds = tf.constant([3, 4], tf.int64)
    served = signature(text=tf.constant(CAPTIONS), seed=seeds)["image"].numpy().astype(int)
    np.testing.assert_allclose(served, pictures(model_directory.load(tmp_path / "model")), atol=1)


def test_the_dcgan_with_a_gru_is_imported_without_discriminators(published, tmp_path):
    words = tmp_path / "words.txt"
    Vocabulary(WORDS).save(words)
    import_files(
        tmp_path / "model",
        published / "text_encoder_gru.pth",
        published / "generator_dcgan.pth",
        vocabulary=str(words),
        name="dcgan",
        max_words=12,
    )
    model = model_directory.load(tmp_path / "model")
    config = model.config
    assert (config.name, config.data.max_words, config.text_encoder.cell) == ("dcgan", 12, "gru")
    assert (config.generator.image_heads, config.generator.residual_blocks) == ("last", 0)
    assert "discriminator" not in config
    fixture = load("generator_dcgan")
    direct = given_directly(text_encoder("gru")[0], generator(fixture, fixture.group("w/")))
    np.testing.assert_allclose(pictures(model), pictures(direct).astype(int), atol=1)


def test_the_compressed_dual_attention_is_imported(published, tmp_path):
    import_files(
        tmp_path / "model",
        published / "text_encoder_lstm.pth",
        save(state_dict("dual_generator"), tmp_path / "dual.pth", "old"),
        published / "captions.pickle",
    )
    model = model_directory.load(tmp_path / "model")
    assert model.config.generator.to_dict() == {
        "stages": 2,
        "filters": 8,
        "noise_dim": 8,
        "condition_dim": 6,
        "residual_blocks": 2,
        "base_size": 64,
        "normalize_sentence": False,
        "logvar_bias": 0.0,
        "attention": "dual_compressed",
        "image_heads": "all",
    }
    fixture = load("dual_generator")
    direct = given_directly(text_encoder("lstm")[0], generator(fixture, fixture.group("w/")))
    expected = pictures(direct).astype(int)
    assert expected.shape == (2, 128, 128, 3) and expected.std() > 5
    np.testing.assert_allclose(pictures(model), expected, atol=1)


def test_sizes_are_read_off_the_weights(imported):
    assert json.loads((imported / "config.json").read_text()) == {
        "name": "generator_b3",
        "data": {"image_size": 256, "max_words": 18},
        "text_encoder": {"cell": "lstm", "embedding_dim": 24, "units": 32, "dropout": 0.5},
        "damsm": {"gamma1": 4.0, "gamma2": 5.0, "gamma3": 10.0},
        "generator": {
            "stages": 3,
            "filters": 4,
            "noise_dim": 20,
            "condition_dim": 12,
            "residual_blocks": 2,
            "base_size": 64,
            "normalize_sentence": False,
            "logvar_bias": 0.0,
            "attention": "textual",
            "image_heads": "all",
        },
        "discriminator": {
            "filters": 4,
            "norm": "batch",
            "normalize_sentence": False,
            "unconditional": True,
        },
        "vocabulary_sha256": Vocabulary(WORDS).sha256,
        "tokenizer": "words",
    }
    assert Vocabulary.load(imported / "vocabulary.txt").words == tuple(WORDS)


def test_the_card_names_the_files(imported, published):
    card = (imported / "README.md").read_text()
    for path in published.iterdir():
        assert (f"| {path.name} | {path.stat().st_size:,} |" in card) == (
            path.stem not in ("text_encoder_gru", "generator_dcgan")
        )
    assert len(re.findall("`[0-9a-f]{64}`", card)) == 6


def test_discriminators_lie_beside_the_generator(imported):
    for i, size in enumerate(SIZES):
        fixture = load(f"discriminator_{size}")
        expected = discriminator(fixture, size, fixture.group("w/"))
        read = discriminator(fixture, size, fixture.group("w/"))
        read.set_weights([np.zeros_like(w) for w in read.get_weights()])
        read.load_weights(imported / f"discriminator_{i}.weights.h5")
        for one, other in zip(read.get_weights(), expected.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.fixture
def small_inception(monkeypatch):
    """Stands for Inception v3 wherever one is built: one convolution with BatchNorm."""

    def trunk(weights):
        inputs = keras.Input((299, 299, 3))
        x = keras.layers.Conv2D(4, 3, 16, use_bias=False, name="Conv2d_1a_3x3.conv")(inputs)
        x = keras.layers.BatchNormalization(name="Conv2d_1a_3x3.bn")(x)
        pooled = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, (x, pooled), name="inception_v3")

    monkeypatch.setattr(image_encoder, "inception_v3_trunk", trunk)


def image_encoder_state(**more):
    shapes = {
        "Conv2d_1a_3x3.conv.weight": (4, 3, 3, 3),
        **{f"Conv2d_1a_3x3.bn.{name}": (4,) for name in ("weight", "bias")},
        **{f"Conv2d_1a_3x3.bn.running_{name}": (4,) for name in ("mean", "var")},
        "emb_features.weight": (32, 4, 1, 1),
        "emb_cnn_code.weight": (32, 4),
        "emb_cnn_code.bias": (32,),
    }
    draws = torch.Generator().manual_seed(0)
    state = {key: torch.rand(shape, generator=draws) for key, shape in shapes.items()}
    return state | more


COUNTED = {"Conv2d_1a_3x3.bn.num_batches_tracked": torch.tensor(7)}  # by PyTorch since 0.4.1


@pytest.mark.parametrize(("more", "aligned"), [({}, True), (COUNTED, False)])
def test_the_age_of_an_image_encoder_tells_how_it_was_shown_pictures(more, aligned):
    arrays = {key: tensor.numpy() for key, tensor in image_encoder_state(**more).items()}
    assert reference_sizes.of("image_encoder", arrays).config["align_corners"] is aligned


@pytest.fixture
def import_damsm(published, small_inception, tmp_path):
    """Imports with an image encoder; returns the model."""

    def run(align_corners=None):
        import_files(
            tmp_path / "model",
            published / "text_encoder_lstm.pth",
            published / "generator_b3.pth",
            published / "captions.pickle",
            image_encoder=str(save(image_encoder_state(), tmp_path / "image_encoder.pth")),
            align_corners=align_corners,
        )
        return model_directory.load(tmp_path / "model", need=("image_encoder",))

    return run


def test_the_flag_decides_how_the_image_encoder_is_shown_pictures(import_damsm):
    assert import_damsm(align_corners=False).image_encoder.align_corners is False


def test_a_run_takes_the_encoders_as_they_were_trained(import_damsm):
    """`t2i_tf.train --damsm=` compares the configs and keeps the image encoder's own settings."""
    damsm = import_damsm()
    assert damsm.image_encoder.align_corners is True
    expected = image_encoder_state()["emb_cnn_code.weight"].numpy().T
    np.testing.assert_array_equal(damsm.image_encoder.code.kernel, expected)
    config = cub_attngan2.get_config()
    config.text_encoder.update(units=32, embedding_dim=24)
    before = config.to_dict()
    adopted = warm_start.with_encoders("x", damsm, config, Vocabulary(WORDS))
    assert adopted.image_encoder.align_corners is True
    assert adopted.image_encoder.weights == "image_encoder.pth"
    assert config.to_dict() == before
    assert adopted.to_dict() == before | {"image_encoder": adopted.image_encoder.to_dict()}
    with pytest.raises(UserError, match="the DAMSM x was trained with another vocabulary"):
        warm_start.with_encoders("x", damsm, config, Vocabulary(WORDS[:-1]))
    config.text_encoder.units = 64
    with pytest.raises(UserError, match="the DAMSM x has text_encoder=.*'units': 32.*'units': 64"):
        warm_start.with_encoders("x", damsm, config, Vocabulary(WORDS))


def test_everything_wrong_is_named_at_once(published, tmp_path):
    broken = state_dict("generator_b3")
    del broken["h_net2.att.conv_context.weight"]
    broken["extra"] = torch.zeros(2)
    judge = state_dict("discriminator_64")
    narrow = {k: v for k, v in judge.items() if not k.startswith("UNCOND_DNET")}
    judges = [
        published / "discriminator_128.pth",
        save(narrow, tmp_path / "conditional.pth"),
        published / "generator_dcgan.pth",
    ]
    with pytest.raises(UserError) as error:
        import_files(
            tmp_path / "model",
            published / "text_encoder_lstm.pth",
            save(broken, tmp_path / "broken.pth"),
            save_captions(tmp_path / "captions.pickle", WORDS[:50]),
            discriminators=[str(path) for path in judges],
        )
    message = str(error.value)
    for expected in (
        r"^5 problems, nothing was written:",
        r"text_encoder_lstm.pth: knows 60 words \(encoder.weight\), the vocabulary has 50",
        r"generator .*broken.pth: the weights do not fit the generator:",
        r"missing: h_net2.att.conv_context.weight",
        r"unknown: extra",
        r"discriminator .*generator_dcgan.pth: expected a discriminator \(D_NET\), found a gen",
        r"the discriminators differ: filters=4, unconditional=True in .*128.pth, filters=4, unc",
        r"the discriminators take images of \[128, 64\] px.*broken.pth draws \[64, 128, 256\]",
    ):
        assert re.search(expected, message), f"{expected}\n{message}"
    assert not (tmp_path / "model").exists()


def test_missing_and_misshapen_keys_are_named_even_where_they_tell_sizes(published, tmp_path):
    """A size is what most keys say, so that the odd one is found and not the others."""
    encoder = state_dict("text_encoder_lstm")
    del encoder["rnn.weight_hh_l0"]
    generator = state_dict("generator_b3")
    for key in ("img_net1.img.0.weight", "h_net1.fc.0.weight", "h_net1.fc.1.bias"):
        del generator[key]
    generator["img_net2.img.0.weight"] = torch.zeros(3, 8, 3, 3)
    variance = "h_net2.upsample.2.running_var"
    generator[variance] = generator[variance] - 10.0
    judge = state_dict("discriminator_64")
    del judge["img_code_s16.0.weight"], judge["COND_DNET.jointConv.0.weight"]
    with pytest.raises(UserError) as error:
        import_files(
            tmp_path / "model",
            save(encoder, tmp_path / "encoder.pth"),
            save(generator, tmp_path / "generator.pth"),
            published / "captions.pickle",
            discriminators=[str(save(judge, tmp_path / "judge.pth"))],
        )
    named = re.findall(r"^ *((?:missing|misshapen|unknown|negative).*)$", str(error.value), re.M)
    shape = tuple(state_dict("generator_b3")["img_net2.img.0.weight"].shape)
    assert named == [
        "missing: rnn.weight_hh_l0",
        "missing: h_net1.fc.0.weight",
        "missing: h_net1.fc.1.bias",
        "missing: img_net1.img.0.weight",
        "negative variance: h_net2.upsample.2.running_var",
        f"misshapen: img_net2.img.0.weight is (3, 8, 3, 3), expected {shape}",
        "missing: img_code_s16.0.weight",
        "missing: COND_DNET.jointConv.0.weight",
    ]


def test_flags_that_mean_nothing_are_refused(published, tmp_path):
    files = published / "text_encoder_lstm.pth", published / "generator_b3.pth"
    captions = published / "captions.pickle"
    with pytest.raises(UserError, match="--align_corners is about the image encoder"):
        import_files(tmp_path / "model", *files, captions, align_corners=True)
    with pytest.raises(UserError, match="--discriminators has an empty entry"):
        import_files(tmp_path / "model", *files, captions, discriminators=[""])
    with pytest.raises(UserError, match=f"{captions} is a file"):
        import_files(captions / "model", *files, captions)


@pytest.mark.parametrize(
    ("flag", "name", "message"),
    [
        (
            "text_encoder",
            "generator_b3",
            r"^text_encoder .*: expected a text encoder \(RNN_ENCODER\), found a generator",
        ),
        (
            "generator",
            "text_encoder_lstm",
            r"^generator .*: expected a generator \(G_NET, .*_G_NET\), found a text encoder",
        ),
    ],
)
def test_one_problem_is_one_line(flag, name, message, published, tmp_path):
    files = {flag: published / f"{name}.pth"}
    files = {
        "text_encoder": published / "text_encoder_lstm.pth",
        "generator": published / "generator_b3.pth",
    } | files
    with pytest.raises(UserError, match=message) as error:
        import_files(tmp_path / "model", captions=published / "captions.pickle", **files)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            {"h_net1.fc.0.weight": (8, 400), "h_net2.dual_attention_module.x.weight": (2, 2)},
            r"missing: h_net2.dual_attention_module.visual_.*.linear_1.weight"
            r"(.*\n)*.*unknown: h_net2.dual_attention_module.x.weight",
        ),
        ({"fc.weight": (8, 4)}, r"found none of AttnGAN's networks \(its keys: fc.weight, "),
        ({"h_net1.fc.0.weight": (8, 400)}, "missing: ca_net.fc.weight"),
        (
            {"h_net1.fc.0.weight": (8, 4), "ca_net.fc.weight": (8,)},
            r"misshapen: ca_net.fc.weight is \(8,\), expected \(8, 256\)",
        ),
        (
            {
                "h_net1.fc.0.weight": (8, 4),
                "ca_net.fc.weight": (80, 32),
                "img_net1.img.0.weight": (3, 4, 3, 3),
            },
            r"its sizes make no network \(stages 1, .*noise_dim -16",
        ),
    ],
)
def test_other_generators_are_told_apart(state, message, published, tmp_path):
    state = {key: torch.zeros(shape) for key, shape in state.items()}
    with pytest.raises(UserError, match=message):
        import_files(
            tmp_path / "model",
            published / "text_encoder_lstm.pth",
            save(state, tmp_path / "generator.pth"),
            published / "captions.pickle",
        )


def test_encoders_of_other_lengths_and_kinds_are_named(published, tmp_path):
    state = {
        "encoder.weight": torch.zeros(60, 24),
        "rnn.weight_hh_l0": torch.zeros(32, 8),
    }
    arguments = published / "generator_b3.pth", published / "captions.pickle"
    message = "codes differ in length: 16 in text_encoder .*x.pth, 32 in generator .*b3.pth"
    with pytest.raises(UserError, match=message):
        import_files(tmp_path / "model", save(state, tmp_path / "x.pth"), *arguments)
    state["rnn.weight_hh_l0"] = torch.zeros(40, 8)
    with pytest.raises(UserError, match=r"for 8 units are neither an LSTM's \(4 x 8 rows\) nor a"):
        import_files(tmp_path / "model", save(state, tmp_path / "x.pth"), *arguments)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return exec, (f"open({str(self.path)!r}, 'w').close()",)


def test_all_files_that_cannot_be_read_are_named_and_nothing_runs(published, tmp_path):
    trap, pickled = tmp_path / "trap", tmp_path / "captions.pickle"
    pickled.write_bytes(pickle.dumps([[], [], Trap(trap), {}], protocol=2))
    pickle.loads(pickled.read_bytes())
    assert trap.exists()  # the trap works
    trap.unlink()
    with pytest.raises(UserError) as error:
        import_files(
            tmp_path / "model",
            save({"encoder.weight": Trap(trap)}, tmp_path / "zip.pth", "zip"),
            save({"ca_net.fc.weight": Trap(trap)}, tmp_path / "old.pth", "old"),
            pickled,
            discriminators=[str(tmp_path / "none.pth")],
        )
    lines = str(error.value).splitlines()
    for line, expected in zip(
        lines,
        (
            "^4 problems, nothing was written:$",
            "text_encoder .*zip.pth: refused, for it wants exec; ",
            "generator .*old.pth: refused, for it wants exec; ",
            "discriminator .*none.pth: cannot be read: No such file",
            r"captions: .*captions.pickle: refused, for this pickle wants \w+\.exec; ",
        ),
        strict=True,
    ):
        assert re.search(expected, line)
    files = {"zip.pth", "old.pth", "captions.pickle"}
    assert {entry.name for entry in tmp_path.iterdir()} == files


def test_nothing_is_overwritten(imported, published, tmp_path):
    for place in (imported, published / "captions.pickle"):
        with pytest.raises(UserError, match=f"--output_dir={place} exists already: name a new or"):
            import_files(place, "none.pth", "none.pth", "none.pickle")


@pytest.mark.parametrize("both", [{}, {"captions": "a.pickle", "vocabulary": "a.txt"}])
def test_one_vocabulary_is_asked_for(both, tmp_path):
    with pytest.raises(UserError, match="either --captions=<captions.pickle> or --vocabulary="):
        import_files(tmp_path / "model", "none.pth", "none.pth", **both)


def test_the_command_imports_into_an_empty_folder(published, tmp_path):
    output = commands.run(
        "t2i_tf.import_reference",
        f"--text_encoder={published / 'text_encoder_lstm.pth'}",
        f"--generator={published / 'generator_b3.pth'}",
        f"--captions={published / 'captions.pickle'}",
        f"--output_dir={tmp_path}",
    )
    assert "cell lstm, embedding_dim 24, units 32" in output
    assert output.splitlines()[-1] == f"The model is in {tmp_path}"
    assert model_directory.load(tmp_path).config.name == "generator_b3"
