import json
import re

import pytest

from data_pipeline.sources import celeba
from data_pipeline.sources.faces import ATTRIBUTES
from data_pipeline.support.errors import UserError
from tests.data_pipeline.sources.layouts import make_celeba, problems, read


def test_faces_with_captions_attributes_and_splits(tmp_path):
    examples, report = read(make_celeba(tmp_path)())
    assert [e.split for e in examples] == ["train"] * 5 + ["validation"] + ["test"] * 2
    assert all(len(set(example.captions)) == 10 for example in examples)
    truth = json.loads(examples[0].attributes)
    assert list(truth) == list(ATTRIBUTES)
    assert truth["5_o_Clock_Shadow"] is True and truth["Attractive"] is False
    assert list(report.hashes) == ["list_eval_partition.txt", "list_attr_celeba.txt"]


def test_captions_depend_on_the_seed_alone(tmp_path):
    make_celeba(tmp_path)
    first, again, other = (
        [example.captions for example in read(celeba.read(tmp_path, seed=seed))[0]]
        for seed in (0, 0, 1)
    )
    assert first == again != other
    assert len(read(celeba.read(tmp_path, captions_per_image=3))[0][0].captions) == 3


def test_the_original_and_kaggles_folders(tmp_path):
    expected, _ = read(make_celeba(tmp_path)())
    text = (tmp_path / "list_attr_celeba.txt").read_text()
    (tmp_path / "Anno").mkdir()
    (tmp_path / "list_attr_celeba.txt").rename(tmp_path / "Anno" / "list_attr_celeba.txt")
    (tmp_path / "Img").mkdir()
    (tmp_path / "img_align_celeba").rename(tmp_path / "Img" / "img_align_celeba")
    found, _ = read(celeba.read(tmp_path))
    assert [(e.name, e.captions) for e in found] == [(e.name, e.captions) for e in expected]

    (tmp_path / "Anno" / "list_attr_celeba.txt").unlink()
    rows = [re.sub(" +", ",", line) for line in text.splitlines()[1:]]
    (tmp_path / "list_attr_celeba.csv").write_text("\n".join(["image_id," + rows[0], *rows[1:]]))
    (tmp_path / "list_eval_partition.txt").unlink()
    found, _ = read(celeba.read(tmp_path))
    assert [e.captions for e in found] == [e.captions for e in expected]
    assert {e.split for e in found} == {None}


def test_bad_tables_are_told(tmp_path):
    source = make_celeba(tmp_path)
    path = tmp_path / "list_attr_celeba.txt"
    good = path.read_text()
    lines = good.splitlines()
    lines[2] = lines[2].replace(" 1", " 2")
    lines[3] = lines[3].removesuffix("1")
    lines[4] = "../" + lines[4]
    path.write_text("\n".join(lines))
    text, examples = problems(source())
    assert len(examples) == 5
    assert f"{path}:3: expected a name and 40 numbers, each 1 or -1" in text
    assert f"{path}:4: expected a name and 40 numbers" in text
    assert f"{path}:5: ../000003.jpg is not in list_eval_partition.txt" in text
    path.write_text(good.replace("Smiling", "Grinning"))
    with pytest.raises(UserError, match="list_attr_celeba.txt:2: no column Smiling among"):
        read(source())
    path.unlink()
    with pytest.raises(UserError, match="should hold img_align_celeba/ and list_attr_celeba.txt"):
        source()
