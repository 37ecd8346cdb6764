import numpy as np
import pytest

from data_pipeline.sources.collection import Collection
from data_pipeline.sources.source import Example, Report, Source
from data_pipeline.support.errors import UserError


def filled(tmp_path, examples, **options):
    report = Report()
    report.classes = options.pop("classes", [])
    collection = Collection(tmp_path / "examples")
    collection.fill(Source("here", lambda report: iter(examples)), report, **options)
    return collection, report


def example(name, split=None, class_name=None, **rest):
    return Example(name, rest.pop("picture", b"bytes"), ("a card",), split, class_name, **rest)


def names(collection, split):
    return [collection[number].name for number in collection.splits.get(split, ())]


def test_examples_come_back_as_they_were(tmp_path):
    given = [
        example("a", "train", "owl", box=(1.0, 2.0, 3.0, 4.0), attributes="{}"),
        example("b", "test", picture=tmp_path / "b.jpg"),
        Example("bare", tmp_path / "c.jpg", ()),
    ]
    collection, report = filled(tmp_path, given)
    assert len(collection) == 2 and not report
    assert collection[1] == given[1]
    assert collection[0].picture.read() == b"bytes" and str(collection[0].picture) == "a"
    assert collection[0].box == given[0].box
    assert collection.captions_per_image == 1
    assert [found.name for found in collection] == ["a", "b"]


def test_classes_are_numbered_and_pictures_without_one_are_their_own(tmp_path):
    given = [example("a", class_name="owl"), example("b"), example("c", class_name="jay")]
    collection, _ = filled(tmp_path, given)
    assert collection.classes == ["jay", "owl", "b"]
    assert collection.class_ids.tolist() == [1, 2, 0]
    collection, _ = filled(tmp_path, given, classes=["owl", "wren", "jay"])
    assert collection.classes == ["owl", "wren", "jay", "b"]
    assert collection.class_ids.tolist() == [0, 3, 2]


def test_a_test_split_of_the_data_is_kept(tmp_path):
    given = [example("a", "train"), example("b", "test"), example("c", "validation"), example("d")]
    collection, report = filled(tmp_path, given, validation=0.5)
    assert [names(collection, split) for split in ("train", "test", "validation")] == [
        ["a", "d"],
        ["b"],
        ["c"],
    ]
    collection, _ = filled(tmp_path, given[2:], validation=0.5)
    assert (names(collection, "train"), names(collection, "test")) == (["d"], ["c"])
    assert report.notes == []


def test_whole_classes_are_held_out(tmp_path):
    given = [example(f"{c}{i}", class_name=c) for c in "abcdefghij" for i in range(10)]
    collection, report = filled(tmp_path, given, validation=0.2)
    test = names(collection, "test")
    assert len(test) == 20 and len({name[0] for name in test}) == 2
    assert not {name[0] for name in test} & {name[0] for name in names(collection, "train")}
    assert report.notes == [
        "no test split in the data: 20 of 100 pictures are held out, all of 2 of 10 classes"
    ]
    again, _ = filled(tmp_path, given, validation=0.2)
    other, _ = filled(tmp_path, given, validation=0.2, seed=1)
    assert names(again, "test") == test != names(other, "test")
    few, _ = filled(tmp_path, given[:30], validation=0.01)
    assert len(names(few, "test")) == 10


@pytest.mark.parametrize("class_name", [None, "owl"])
def test_pictures_are_held_out_where_there_are_no_classes(tmp_path, class_name):
    given = [example(str(i), class_name=class_name) for i in range(40)]
    collection, report = filled(tmp_path, given, validation=0.1)
    assert len(names(collection, "test")) == 4
    assert report.notes == ["no test split in the data: 4 of 40 pictures are held out"]
    collection, report = filled(tmp_path, given)
    assert list(collection.splits) == ["train"]
    assert report.notes == ["there is no test split, which training and measuring need"]
    collection, _ = filled(tmp_path, given[:1], validation=0.1)
    assert list(collection.splits) == ["train"]


def test_names_that_are_given_twice_are_told_and_the_first_is_kept(tmp_path):
    given = [example("A/one"), example("a/One"), example("b"), example("b"), example("ca\udce9")]
    collection, report = filled(tmp_path, given)
    assert report.lines() == [
        "names that are not UTF-8 (1):",
        "  'ca\\udce9': rename the file",
        "names equal but for case (1):",
        "  a/One: A/one and a/One; rename one",
        "pictures of the same name (1):",
        "  b: b and b",
    ]
    assert names(collection, "train") == ["A/one", "b"]
    np.testing.assert_array_equal(collection.splits["train"], [0, 2])


def test_no_pictures_at_all(tmp_path):
    with pytest.raises(UserError, match="here: no pictures with captions"):
        filled(tmp_path, [])
