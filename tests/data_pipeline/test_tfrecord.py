import json

import pytest
import tensorflow as tf

from data_pipeline.support.errors import UserError
from data_pipeline.text.vocabulary import Vocabulary
from data_pipeline.tfrecord import DatasetInfo, parse, serialize, shard_name, shard_paths

RECORD = dict(
    image=b"\xff\xd8jpeg",
    class_id=2,
    name="003.Blue/Blue_1",
    captions=["a caf\u00e9 bird", "bird"],
    tokens=[[3, 1], [1]],
    attributes='{"wing": "blue"}',
)


@pytest.fixture
def data_dir(tmp_path):
    vocabulary = Vocabulary(["<end>", "bird", "red"])
    vocabulary.save(tmp_path / "vocabulary.txt")
    info = DatasetInfo(
        dataset="cub",
        stored_size=304,
        captions_per_image=10,
        max_words=18,
        vocabulary={"file": "vocabulary.txt", "size": 3, "sha256": vocabulary.sha256},
        splits={"train": {"images": 4, "classes": 2, "shards": 2}},
        classes=["Blue"],
        source={"images.txt": "0"},
    )
    info.save(tmp_path)
    return tmp_path


def test_a_vocabulary_is_of_words_where_no_tokenizer_is_named(data_dir):
    assert type(DatasetInfo.load(data_dir).load_vocabulary(data_dir)) is Vocabulary
    path = data_dir / "dataset_info.json"
    content = json.loads(path.read_text())
    content["vocabulary"]["tokenizer"] = "wordpiece"
    path.write_text(json.dumps(content))
    vocabulary = DatasetInfo.load(data_dir).load_vocabulary(data_dir)
    assert vocabulary.tokenizer == "wordpiece" and vocabulary.words == ("<end>", "bird", "red")
    path.write_text(json.dumps(content).replace("wordpiece", "bytes"))
    with pytest.raises(UserError, match="for the tokenizer 'bytes'; this program knows words"):
        DatasetInfo.load(data_dir)


def assert_is_record(parsed):
    assert parsed["image"].numpy() == b"\xff\xd8jpeg"
    assert parsed["class_id"].numpy() == 2
    assert parsed["name"].numpy() == b"003.Blue/Blue_1"
    assert parsed["captions"].numpy().tolist() == ["a caf\u00e9 bird".encode(), b"bird"]
    assert parsed["token_ids"].numpy().tolist() == [3, 1, 1]
    assert parsed["token_counts"].numpy().tolist() == [2, 1]
    assert parsed["attributes"].numpy() == b'{"wing": "blue"}'


def test_parse_reads_what_serialize_wrote_eagerly_and_in_a_dataset():
    serialized = serialize(**RECORD)
    assert serialized == serialize(**RECORD)
    assert_is_record(parse(tf.constant(serialized)))
    (parsed,) = tf.data.Dataset.from_tensors(serialized).map(parse)
    assert_is_record(parsed)


def test_attributes_are_empty_where_unknown():
    serialized = serialize(**{**RECORD, "attributes": ""})
    assert parse(tf.constant(serialized))["attributes"].numpy() == b""


def test_shards_are_named_and_found_in_order(tmp_path):
    assert shard_name("cub", "train", 3, 64) == "cub-train.tfrecord-00003-of-00064"
    for i in (1, 0, 2):
        (tmp_path / shard_name("cub", "train", i, 3)).touch()
    (tmp_path / shard_name("cub", "test", 0, 1)).touch()
    names = [path.name for path in shard_paths(tmp_path, "cub", "train")]
    assert names == [f"cub-train.tfrecord-0000{i}-of-00003" for i in range(3)]


def test_missing_and_mixed_shards_are_refused(tmp_path):
    with pytest.raises(UserError, match="no shards of cub-train"):
        shard_paths(tmp_path, "cub", "train")
    (tmp_path / shard_name("cub", "train", 1, 3)).touch()
    with pytest.raises(UserError, match="2 of 3 shards are missing, the first is .*00000-of-00003"):
        shard_paths(tmp_path, "cub", "train")
    (tmp_path / shard_name("cub", "train", 0, 1)).touch()
    with pytest.raises(UserError, match="shards of two builds"):
        shard_paths(tmp_path, "cub", "train")


def test_info_is_read_back(data_dir):
    info = DatasetInfo.load(data_dir)
    assert info.stored_size == 304
    assert info.splits["train"] == {"images": 4, "classes": 2, "shards": 2}
    assert info.format_version == 1


def change(data_dir, **changes):
    path = data_dir / "dataset_info.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **changes}))


def test_info_refuses_what_is_no_data_set(tmp_path, data_dir):
    with pytest.raises(UserError, match="elsewhere: not a built data set .*build_tfrecords"):
        DatasetInfo.load(tmp_path / "elsewhere")
    for content in ("", "[]", '"text"', "{}"):
        (data_dir / "dataset_info.json").write_text(content)
        with pytest.raises(UserError, match="not a built data set"):
            DatasetInfo.load(data_dir)


def test_info_refuses_another_format_or_missing_fields(data_dir):
    change(data_dir, unexpected=1)
    with pytest.raises(UserError, match="dataset_info.json: damaged .*unexpected"):
        DatasetInfo.load(data_dir)
    change(data_dir, format_version=2)
    with pytest.raises(UserError, match="format version 2, this program reads 1"):
        DatasetInfo.load(data_dir)


def test_info_refuses_another_vocabulary(data_dir):
    Vocabulary(["<end>", "red", "bird"]).save(data_dir / "vocabulary.txt")
    with pytest.raises(UserError, match="vocabulary.txt: not the vocabulary that the data set"):
        DatasetInfo.load(data_dir)
    (data_dir / "vocabulary.txt").unlink()
    with pytest.raises(UserError, match="cannot read the vocabulary"):
        DatasetInfo.load(data_dir)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stored_size", "big"),
        ("stored_size", 0),
        ("vocabulary", []),
        ("vocabulary", {"file": "../vocabulary.txt", "size": 3, "sha256": "0"}),
        ("splits", {"train": {"images": "4", "classes": 2, "shards": 2}}),
        ("splits", [1]),
        ("dataset", None),
    ],
)
def test_a_field_of_another_type_is_named(field, value, data_dir):
    path = data_dir / "dataset_info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(UserError, match=rf"dataset_info\.json: damaged \({field}"):
        DatasetInfo.load(data_dir)


def test_a_description_nested_too_deeply_is_none(data_dir):
    (data_dir / "dataset_info.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="not a built data set"):
        DatasetInfo.load(data_dir)
