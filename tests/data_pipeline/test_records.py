import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.records import Records, index_file, write_index
from data_pipeline.support.errors import UserError

DATA = [b"first", b"", b"x" * 70_000, b"the fourth", b"fifth"]


@pytest.fixture(params=[True, False], ids=["indexed", "scanned"])
def shards(request, tmp_path):
    """Five records in two shards, with and without the files that tell their places."""
    paths = [tmp_path / f"d-train.tfrecord-{i:05d}-of-00002" for i in range(2)]
    for path, data in zip(paths, (DATA[:3], DATA[3:]), strict=True):
        with tf.io.TFRecordWriter(str(path)) as writer:
            for record in data:
                writer.write(record)
        if request.param:
            write_index(path)
    return paths


def test_records_are_numbered_through(shards):
    records = Records(shards)
    assert len(records) == 5
    assert [records[i] for i in range(5)] == DATA
    assert records.take(np.array([4, 0, 2])).tolist() == [DATA[4], DATA[0], DATA[2]]
    assert records.take(np.array([], int)).tolist() == []


def test_the_index_is_beside_the_shard(shards):
    assert index_file(shards[1]).name == "d-train.index-00001-of-00002"
    write_index(shards[1])
    assert np.fromfile(index_file(shards[1]), "<i8").tolist() == [0, 26, 47]


@pytest.mark.parametrize("cut", [3, 10, 25, 70_067])
def test_a_shard_cut_short_is_named(shards, cut):
    whole = shards[0].read_bytes()
    shards[0].write_bytes(whole[: max(len(whole) - cut, 0)])
    with pytest.raises(
        UserError, match=r"train\.tfrecord-00000-of-00002 .*build the data set again"
    ):
        Records(shards)


def test_a_damaged_length_is_named(shards):
    index_file(shards[1]).unlink(missing_ok=True)
    data = bytearray(shards[1].read_bytes())
    data[5] ^= 255
    shards[1].write_bytes(data)
    with pytest.raises(UserError, match="00001-of-00002 is cut short or damaged in record 0"):
        Records(shards)


def test_a_damaged_record_is_named_when_it_is_read(shards):
    data = bytearray(shards[0].read_bytes())
    data[13] ^= 1
    shards[0].write_bytes(data)
    records = Records(shards)
    assert records[1] == DATA[1]
    with pytest.raises(UserError, match=r"00000-of-00002, record 0: damaged, .* build the data"):
        records[0]


def test_fingerprints_tell_contents_and_order_apart(shards, tmp_path):
    def of(*data):
        path = tmp_path / "other.tfrecord-0"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for record in data:
                writer.write(record)
        return Records([path]).fingerprint()

    assert of(b"one", b"two") == of(b"one", b"two")
    assert len({of(b"one", b"two"), of(b"two", b"one"), of(b"one", b"twi"), of(b"one")}) == 4
    assert Records(shards).fingerprint() == Records(shards).fingerprint()
