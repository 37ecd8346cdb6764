import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.plugins.projector import ProjectorConfig

from data_pipeline.dataset import Split
from data_pipeline.pixels import to_uint8
from t2i_tf.metrics.r_precision import picture_codes
from t2i_tf.models.model_directory import ModelDirectory
from t2i_tf.models.text_to_image import TextToImage
from t2i_tf.networks import build
from t2i_tf.training.callbacks import Board, Examples, Projector, SampleGrid, WordRegions
from t2i_tf.training.callbacks.projector import THUMBNAIL

WORDS = [["a", "red", "bird"], ["blue", "wings"]]
TOKENS = np.array([[1, 4, 7, 0, 0, 0], [5, 10, 0, 0, 0, 0]], "int32")


@pytest.fixture
def examples(rng):
    images = rng.uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    return Examples(TOKENS, WORDS, ["001.Red", "002.Blue"], images)


@pytest.fixture(scope="module")
def model(small_model):
    return TextToImage(small_model)


@pytest.fixture(scope="module")
def encoders(small_model):
    return small_model.text_encoder, small_model.image_encoder


def pictures(workdir):
    """TensorBoard's pictures: by tag the (step, picture) in order."""
    found = {}
    for path in workdir.glob("events.out.tfevents.*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                png = tf.make_ndarray(value.tensor)[2]
                found.setdefault(value.tag, []).append((event.step, tf.io.decode_png(png).numpy()))
    return found


def test_examples_are_the_first_of_a_split(tiny_data):
    unseen = Split(tiny_data, "test")
    examples = Examples.first(unseen, 4, image_size=64, max_words=18)
    assert len(examples) == 4
    record = next(unseen.examples())
    assert examples.words[0] == record["captions"][0].decode().replace(",", "").split()[:18]
    assert examples.classes[0] == unseen.info.classes[int(record["class_id"])]
    assert examples.images.shape == (4, 64, 64, 3)
    assert len(Examples.first(unseen, 100, image_size=64, max_words=18)) == len(unseen)
    np.testing.assert_array_equal(examples[1:3].tokens, examples.tokens[1:3])


def test_samples_are_drawn_at_every_stage(tmp_path, model, examples):
    grid = SampleGrid(Board(tmp_path), model, examples, seeds=3, every=2)
    assert grid.every == 2
    for step in (10, 20):
        assert grid.look(step) == {}
    found = pictures(tmp_path)
    assert found.keys() == {"samples/stage_0", "samples/stage_1", "attention/stage_1"}
    drawn = model.network(TOKENS[[1]], np.array([2]))
    for stage, side in enumerate((16, 32)):
        (first, sheet), (second, same) = found[f"samples/stage_{stage}"]
        assert (first, second) == (10, 20)
        np.testing.assert_array_equal(sheet, same)
        assert sheet.shape == (2 * (side + 2) + 2, 3 * (side + 2) + 2, 3)
        last = sheet[side + 4 : -2, 2 * (side + 2) + 2 : -2]
        expected = to_uint8(drawn["images"][stage][0]).numpy()
        np.testing.assert_allclose(last.astype(int), expected.astype(int), atol=1)
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == ["step_0000010.png", "step_0000020.png"]
    with Image.open(tmp_path / "samples" / names[0]) as image:
        np.testing.assert_array_equal(np.asarray(image), sheet)
    _, strips = found["attention/stage_1"][0]
    assert strips.shape[1] == 4 * 132 + 4, "a picture and three words"


def test_a_generator_without_attention_has_no_strips(tmp_path, examples, small_config, small_model):
    config = small_config.copy_and_resolve_references()
    config.generator.update(attention="none", image_heads="last")
    parts = config, small_model.vocabulary, small_model.text_encoder, None
    model = TextToImage(ModelDirectory(*parts, build.generator(config)))
    SampleGrid(Board(tmp_path), model, examples, seeds=1).look(5)
    assert pictures(tmp_path).keys() == {"samples/stage_1"}


def test_word_regions_light_up_where_a_word_is_found(tmp_path, examples):
    codes = 20.0 * tf.eye(3)

    def text_encoder(tokens):
        return tf.gather(codes, tf.where(tokens == 10, 2, 0)), None

    def image_encoder(images):
        return tf.gather(codes, [[[0, 1], [2, 1]]]), None

    WordRegions(Board(tmp_path), text_encoder, image_encoder, examples[1:], 4.0).look(5)
    ((step, sheet),) = pictures(tmp_path)["damsm/word_regions"]
    assert step == 5
    assert sheet.shape == (128 + 24 + 8, 3 * 132 + 4, 3)
    real, blue, wings = (sheet[4:132, 4 + 132 * i :][:, :128].astype(float) for i in range(3))
    quarters = [np.s_[:64, :64], np.s_[:64, 64:], np.s_[64:, :64], np.s_[64:, 64:]]
    for overlay, brightest in ((blue, 0), (wings, 2)):
        light = [(overlay - real)[quarter].mean() for quarter in quarters]
        assert np.argmax(light) == brightest
        assert light[brightest] > np.median(light) + 30


def test_word_regions_of_drawn_pictures(tmp_path, model, encoders, examples):
    WordRegions(Board(tmp_path), *encoders, examples, 4.0, model=model).look(5)
    ((_, sheet),) = pictures(tmp_path)["damsm/word_regions"]
    drawn = model.network(TOKENS[:1], np.zeros(1, "int64"))
    expected = Image.fromarray(to_uint8(drawn["images"][-1][0]).numpy())
    expected = np.asarray(expected.resize((128, 128), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(sheet[4:132, 4:132].astype(int), expected.astype(int), atol=2)


def test_captions_pictures_and_drawn_pictures_are_projected(tmp_path, model, encoders, examples):
    Projector(Board(tmp_path), *encoders, examples, model=model).look(5)
    config = text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    points = np.loadtxt(tmp_path / embedding.tensor_path)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1.0, atol=1e-3)
    _, sentences = encoders[0](TOKENS)
    codes = picture_codes(encoders[1], to_uint8(examples.images).numpy())
    for rows, expected in ((slice(0, 2), sentences), (slice(2, 4), codes)):
        expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(points[rows], expected, atol=1e-4)
    header, *rows = (tmp_path / embedding.metadata_path).read_text().splitlines()
    assert header == "caption\tkind\tclass"
    assert len(rows) == len(points) == 6
    assert rows[0] == "a red bird\tcaption\t001.Red"
    assert rows[3] == "blue wings\tpicture\t002.Blue"
    assert rows[5] == "blue wings\tdrawn\t002.Blue"
    assert list(embedding.sprite.single_image_dim) == [THUMBNAIL, THUMBNAIL]
    with Image.open(tmp_path / embedding.sprite.image_path) as sprite:
        assert sprite.size == (3 * THUMBNAIL, 3 * THUMBNAIL)
        third = np.asarray(sprite)[:THUMBNAIL, 2 * THUMBNAIL :]
    np.testing.assert_array_equal(third[::2, ::2], to_uint8(examples.images[0]).numpy())


def test_configs_are_hparams_with_dotted_names(tmp_path):
    Board(tmp_path).hparams({"seed": 3, "train": {"beta_1": 0.5, "diffaugment": ("color",)}})
    (path,) = tmp_path.glob("events.out.tfevents.*")
    values = [
        value
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    ]
    content = values[0].metadata.plugin_data.content
    found = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert found["seed"].number_value == 3
    assert found["train.beta_1"].number_value == 0.5
    assert found["train.diffaugment"].string_value == "('color',)"


def test_nothing_is_written_before_there_is_something_to_write(tmp_path):
    Board(tmp_path)
    assert not list(tmp_path.iterdir())
