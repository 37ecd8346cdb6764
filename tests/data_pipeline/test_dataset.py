import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipeline import tfrecord
from data_pipeline.dataset import Split, pyramid
from data_pipeline.support.errors import UserError
from data_pipeline.text.vocabulary import Vocabulary

CAPTIONS = ("a red bird with black wings", "black", "red red red", "a a a a a a a a red black")
COUNT = 6


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Six pictures of one grey each, 40 x 44, with captions of known colours."""
    greys = [np.full((44, 40, 3), 40 * i, np.uint8) for i in range(COUNT)]
    return write(tmp_path_factory.mktemp("data"), greys, stored_size=40)


def write(folder, pictures, stored_size):
    """Writes a split `train` of pictures, uint8 `[H, W, 3]` each."""
    vocabulary = Vocabulary.from_captions(CAPTIONS)
    vocabulary.save(folder / "vocabulary.txt")
    path = folder / tfrecord.shard_name("grey", "train", 0, 1)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for i, picture in enumerate(pictures):
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "JPEG", quality=95)
            writer.write(
                tfrecord.serialize(
                    image=file.getvalue(),
                    class_id=i,
                    name=f"class/{i}",
                    captions=CAPTIONS,
                    tokens=[vocabulary.encode(caption)[0] for caption in CAPTIONS],
                )
            )
    count = len(pictures)
    tfrecord.DatasetInfo(
        dataset="grey",
        stored_size=stored_size,
        captions_per_image=len(CAPTIONS),
        max_words=10,
        vocabulary={
            "file": "vocabulary.txt",
            "size": len(vocabulary),
            "sha256": vocabulary.sha256,
        },
        splits={"train": {"images": count, "classes": count, "shards": 1}},
        classes=[str(i) for i in range(count)],
        source={},
    ).save(folder)
    return folder


def batches(data_dir, count, **options):
    defaults = dict(batch_size=4, image_sizes=(16, 32), max_words=8, seed=3)
    dataset = Split(data_dir, "train").train_batches(**{**defaults, **options})
    return list(dataset.take(count).as_numpy_iterator())


def assert_equal(a, b):
    tf.nest.map_structure(np.testing.assert_array_equal, a, b)


def test_batches_have_the_promised_shapes_and_ranges(data_dir):
    (batch,) = batches(data_dir, 1, exchange_words=[["red", "black"]])
    assert [image.shape for image in batch["images"]] == [(4, 16, 16, 3), (4, 32, 32, 3)]
    assert all(np.abs(image).max() <= 1 + 1e-6 for image in batch["images"])
    assert batch["tokens"].shape == batch["wrong_tokens"].shape == (4, 8)
    assert batch["tokens"].dtype == np.int32
    np.testing.assert_array_equal(batch["index"], range(4))


def test_the_stream_is_a_function_of_seed_and_index(data_dir):
    options = dict(exchange_words=[["red", "black"]])
    whole = batches(data_dir, 6, **options)
    assert_equal(whole, batches(data_dir, 6, **options))
    assert_equal(whole[4:], batches(data_dir, 2, start=16, **options))
    other = batches(data_dir, 6, seed=4, **options)
    assert any(np.any(a["class_id"] != b["class_id"]) for a, b in zip(whole, other, strict=True))


def test_every_epoch_holds_every_image_once_in_another_order(data_dir):
    stream = np.concatenate([b["class_id"] for b in batches(data_dir, 6)]).reshape(-1, COUNT)
    assert [sorted(epoch) for epoch in stream.tolist()] == [list(range(COUNT))] * 4
    assert len({tuple(epoch) for epoch in stream.tolist()}) > 1


def test_a_long_caption_keeps_a_subset_of_its_words_in_order(data_dir):
    vocabulary = Split(data_dir, "train").vocabulary
    seen = {
        " ".join(vocabulary.words[i] for i in tokens if i)
        for batch in batches(data_dir, 40)
        for tokens in batch["tokens"]
    }
    assert set(CAPTIONS[:3]) < seen
    shortened = seen - set(CAPTIONS)
    assert all(len(caption.split()) == 8 for caption in shortened)
    assert "a a a a a a red black" in shortened
    assert "a a a a a a a red" in shortened


def test_wrong_captions_exchange_the_given_words(data_dir):
    vocabulary = Split(data_dir, "train").vocabulary
    groups = [["red", "black", "violet"], ["with", "a"], ["bird"]]
    pairs = {
        tuple(" ".join(vocabulary.words[i] for i in row if i) for row in rows)
        for batch in batches(data_dir, 20, exchange_words=groups)
        for rows in zip(batch["tokens"], batch["wrong_tokens"], strict=True)
    }
    of_long = {wrong for right, wrong in pairs if right == "a red bird with black wings"}
    assert of_long == {
        "a black bird with red wings",
        "with red bird a black wings",
        "a red bird with black wings",
    }
    assert {wrong for right, wrong in pairs if right == "black"} == {"red"}
    assert {wrong for right, wrong in pairs if right == "red red red"} == {"black black black"}


def test_evaluation_goes_once_through_the_split_in_order(data_dir):
    split = Split(data_dir, "train")
    dataset = split.eval_batches(batch_size=4, image_sizes=(32,), max_words=8, caption=2)
    rows = list(dataset.as_numpy_iterator())
    np.testing.assert_array_equal(np.concatenate([r["index"] for r in rows]), range(COUNT))
    greys = np.concatenate([r["images"][0].mean((1, 2, 3)) for r in rows])
    np.testing.assert_allclose((greys + 1) * 127.5, np.arange(COUNT) * 40, atol=2)
    assert all(np.count_nonzero(r["tokens"], -1).tolist() == [3] * len(r["tokens"]) for r in rows)


def test_pyramid_is_the_same_inside_tf_data(rng):
    image = rng.uniform(-1, 1, size=(32, 32, 3)).astype("float32")
    eager = pyramid(tf.constant(image), (8, 16, 32))
    (mapped,) = tf.data.Dataset.from_tensors(image).map(lambda x: pyramid(x, (8, 16, 32)))
    assert_equal(tuple(e.numpy() for e in eager), tuple(m.numpy() for m in mapped))
    np.testing.assert_array_equal(eager[2], image)
    assert eager[0].numpy().mean() == pytest.approx(image.mean(), abs=0.01)


def test_images_larger_than_stored_are_refused(data_dir):
    with pytest.raises(
        UserError, match="of 76 px, but .* stores 40 px; build it with --image_size=64"
    ):
        batches(data_dir, 1, image_sizes=(64,))


def test_a_crop_shows_as_much_of_the_picture_at_every_size(tmp_path):
    ramp = np.round(np.linspace(0, 255, 304)).astype(
        np.uint8
    )  # The red of a pixel tells its column.
    picture = np.broadcast_to(ramp[None, :, None], (340, 304, 3))
    split = Split(write(tmp_path, [picture], stored_size=304), "train")
    for size in (16, 32, 64, 100, 128, 200, 256):
        (batch,) = split.eval_batches(batch_size=1, image_sizes=(size,), max_words=8)
        red = (batch["images"][0].numpy()[0, :, :, 0].mean(axis=0) + 1) * 127.5
        first, last = 255 * (0.5 - 32 / 76), 255 * (0.5 + 32 / 76)  # 64 of 76 px in the middle.
        step = (last - first) / size
        np.testing.assert_allclose(red, first + step * (np.arange(size) + 0.5), atol=step + 1)
    (batch,) = split.train_batches(batch_size=1, image_sizes=(32, 64), max_words=8, seed=0).take(1)
    assert np.ptp(batch["images"][1][0, :, :, 0]) == pytest.approx(2 * 64 / 76, abs=0.08)


def test_no_function_of_the_stream_is_stateful(data_dir):
    """TensorFlow's determinism would run stateful ones, and all before them, one by one."""
    split = Split(data_dir, "train")
    stream = split.train_batches(batch_size=4, image_sizes=(16, 32), max_words=8, seed=3)
    functions = tf.compat.v1.GraphDef.FromString(stream._as_serialized_graph().numpy()).library
    operations = {node.op for function in functions.function for node in function.node_def}
    assert "PyFuncStateless" in operations and "PyFunc" not in operations
    assert "EagerPyFunc" not in operations


def test_an_unknown_split_is_refused(data_dir):
    with pytest.raises(UserError, match="no split 'test'"):
        Split(data_dir, "test")
