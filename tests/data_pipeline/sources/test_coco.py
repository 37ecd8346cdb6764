import json
import pickle

import pytest

from data_pipeline.sources import coco
from data_pipeline.support.errors import UserError
from tests.data_pipeline.sources.layouts import make_coco, problems, read


def test_the_years_own_split_and_all_captions(tmp_path):
    examples, report = read(make_coco(tmp_path)())
    assert [example.split for example in examples] == ["train"] * 6 + ["test"] * 2
    assert examples[7].name == "val2014/COCO_val2014_000000000007"
    assert examples[7].captions == tuple(f"A white card, seen {j} times." for j in range(6))
    assert {example.class_name for example in examples} == {None}
    assert list(report.hashes) == ["captions_train2014.json", "captions_val2014.json"]


@pytest.mark.parametrize("year", coco.YEARS)
def test_another_split_is_told_by_numbers(tmp_path, year):
    make_coco(tmp_path / "coco", year)
    for split, numbers in (("train", (0, 7)), ("test", (1, 6))):
        (tmp_path / split).mkdir()
        names = [f"COCO_{'train' if i < 6 else 'val'}2014_{i:012d}" for i in numbers]
        (tmp_path / split / "filenames.pickle").write_bytes(pickle.dumps(names))
    examples, report = read(coco.read(tmp_path / "coco", tmp_path))
    by_number = {int(example.name[-12:]): example.split for example in examples}
    assert by_number == {0: "train", 7: "train", 1: "test", 6: "test"}
    assert report.notes == [f"4 pictures are in neither list of {tmp_path}"]
    (tmp_path / "test" / "filenames.pickle").write_bytes(
        pickle.dumps(["COCO_val2014_000000000099"])
    )
    assert "number 99" in problems(coco.read(tmp_path / "coco", tmp_path))[0]
    (tmp_path / "test" / "filenames.pickle").write_bytes(pickle.dumps({}))
    with pytest.raises(UserError, match="not a list of picture names"):
        read(coco.read(tmp_path / "coco", tmp_path))


def test_the_year_is_found_or_asked_for(tmp_path):
    with pytest.raises(UserError, match="no annotations/captions_train.* of 2014 or 2017"):
        coco.read(tmp_path)
    make_coco(tmp_path, 2014)
    make_coco(tmp_path, 2017)
    with pytest.raises(UserError, match="captions of 2014 and 2017; choose one by --coco_year"):
        coco.read(tmp_path)
    assert read(coco.read(tmp_path, coco_year=2017))[0][0].name == "train2017/000000000000"
    with pytest.raises(UserError, match="nowhere: no such folder"):
        coco.read(tmp_path / "nowhere")


def test_bad_annotations_are_told(tmp_path):
    source = make_coco(tmp_path)
    path = tmp_path / "annotations" / "captions_train2014.json"
    good = path.read_text()
    content = json.loads(good)
    content["annotations"] = content["annotations"][5:]
    content["annotations"] += [
        {"image_id": 999, "caption": "of nothing"},
        {"image_id": 5, "caption": " "},
        {"image_id": 5, "caption": None},
    ]
    content["images"] += [{"id": 50, "file_name": "../val2014/COCO_val2014_000000000006.jpg"}]
    path.write_text(json.dumps(content))
    (tmp_path / "train2014" / "COCO_train2014_000000000002.jpg").unlink()
    text, examples = problems(source())
    assert len(examples) == 6
    for line in (
        "captions of picture 999, which is not among its images",
        "captions_train2014.json: COCO_train2014_000000000000.jpg",
        "COCO_train2014_000000000005.jpg: empty, or only white space",
        "COCO_train2014_000000000005.jpg: found 'None' (NoneType)",
        "COCO_train2014_000000000002.jpg: no such file",
        "../val2014/COCO_val2014_000000000006.jpg leads out of",
    ):
        assert line in text
    for spoilt, message in (
        (good[:200], "not JSON, or cut short"),
        ("[]", "not COCO's captions"),
        ('{"images": [{}]}', r"not COCO's captions \(KeyError\('id'\)"),
    ):
        path.write_text(spoilt)
        with pytest.raises(UserError, match=f"captions_train2014.json: {message}"):
            read(source())
