import sys

import numpy as np
import pytest

from data_pipeline.sources import tfds
from data_pipeline.support.errors import UserError
from tests.data_pipeline.sources.layouts import read


def test_it_is_asked_for_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(UserError, match="tensorflow-datasets: pip install -r requirements-data"):
        tfds.read("coco_captions")


def test_a_data_set_with_captions_like_cocos(tmp_path):
    datasets = pytest.importorskip("tensorflow_datasets")

    class CardCaptions(datasets.core.GeneratorBasedBuilder):
        VERSION = datasets.core.Version("1.0.0")

        def _info(self):
            features = {
                "image": datasets.features.Image(encoding_format="png"),
                "captions": datasets.features.Sequence({"text": datasets.features.Text()}),
            }
            return self.dataset_info_from_configs(features=datasets.features.FeaturesDict(features))

        def _split_generators(self, manager):
            return {"train": self._generate_examples(3), "val": self._generate_examples(1)}

        def _generate_examples(self, count):
            for i in range(count):
                captions = [{"text": f"card {i}"}, {"text": "a card"}]
                yield i, {"image": np.full((9, 9, 3), i, np.uint8), "captions": captions}

    CardCaptions(data_dir=tmp_path).download_and_prepare()
    examples, _ = read(tfds.read("card_captions", tmp_path))
    assert [example.split for example in examples] == ["train"] * 3 + ["validation"]
    assert {example.captions[1] for example in examples} == {"a card"}
    assert all(example.picture.startswith(b"\x89PNG") for example in examples)
    with pytest.raises(UserError, match="no feature for the caption; name it by --caption_column"):
        tfds.read("card_captions", tmp_path, caption_column="says")
    with pytest.raises(UserError, match="--tfds_name=no_such_cards: "):
        tfds.read("no_such_cards", tmp_path)
