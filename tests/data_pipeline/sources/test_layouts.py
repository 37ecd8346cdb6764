import pytest
import tensorflow as tf

from data_pipeline import builder
from data_pipeline.dataset import Split
from tests.data_pipeline.sources.layouts import COLOURS, LAYOUTS


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_becomes_batches_to_train_on(layout, tmp_path):
    """Each caption that names a colour goes with the picture of that colour."""
    raw = tmp_path / "raw"
    raw.mkdir()
    source = LAYOUTS[layout](raw)
    built = tmp_path / "built"
    info, warnings = builder.build(source(), built, dataset=layout, image_size=16, num_shards=2)
    assert sum(split["images"] for split in info.splits.values()) == 8
    assert min(info.splits[split]["images"] for split in ("train", "test")) >= 1
    assert info.skipped == {}
    assert all("held out" in warning for warning in warnings)
    names = set()
    for name in info.splits:
        split = Split(built, name)
        batches = split.train_batches(batch_size=2, image_sizes=(8, 16), max_words=9, seed=0)
        (batch,) = batches.take(1)
        assert batch["images"][1].shape == (2, 16, 16, 3)
        for example in split.examples():
            names.add(example["name"])
            assert 0 <= example["class_id"] < len(info.classes)
            pixel = tf.io.decode_jpeg(example["image"])[8, 8].numpy().astype(int)
            colour = {(1, 0, 0): "red", (0, 0, 1): "blue", (1, 1, 1): "white"}.get(
                tuple(int(level > 200) for level in pixel), "green"
            )
            told = {word for word in COLOURS if word in b" ".join(example["captions"]).decode()}
            if layout != "celeba":
                assert told == {colour}
    assert len(names) == 8


def test_the_same_raw_data_gives_the_same_bytes(tmp_path):
    for layout in ("csv", "celeba"):
        (tmp_path / layout).mkdir()
        source = LAYOUTS[layout](tmp_path / layout)
        built = [tmp_path / f"{layout}{i}" for i in range(2)]
        for folder in built:
            builder.build(source(), folder, dataset="own", image_size=16)
        files = [{p.name: p.read_bytes() for p in folder.iterdir()} for folder in built]
        assert files[0] == files[1]
