import os

import pytest

from data_pipeline.sources import folder
from data_pipeline.support.errors import UserError
from tests.data_pipeline.sources.layouts import draw, problems, read


def add(path, captions="a card\n"):
    draw(path)
    path.with_suffix(".txt").write_text(captions)
    return path


def test_subfolders_are_classes_or_not(tmp_path):
    add(tmp_path / "b.jpg", "one\ntwo\n\n")
    picture = add(tmp_path / "birds" / "owls" / "a.PNG")
    picture.with_suffix(".json").write_text('{"eye": "round"}')
    (tmp_path / "README.txt").write_text("about this data")
    (tmp_path / ".hidden.txt").write_text("")
    (tmp_path / "notes.pdf").write_text("")
    (plain, owl), report = read(folder.read(tmp_path))
    assert (plain.name, plain.class_name, plain.split) == ("b", None, None)
    assert plain.captions == ("one", "two")
    assert (owl.name, owl.class_name, owl.box) == ("birds/owls/a", "birds/owls", None)
    assert owl.attributes == '{"eye": "round"}'
    assert report.notes == []
    examples, _ = read(folder.read(tmp_path, class_folders=False))
    assert [example.class_name for example in examples] == [None, None]


def test_split_folders_are_splits(tmp_path):
    for name in ("train/a/1.jpg", "test/b/2.jpg", "val/3.jpg", "left_out/4.jpg"):
        add(tmp_path / name)
    examples, _ = read(folder.read(tmp_path))
    assert [(e.name, e.split, e.class_name) for e in examples] == [
        ("test/b/2", "test", "b"),
        ("train/a/1", "train", "a"),
        ("val/3", "validation", None),
    ]
    (tmp_path / "dev").mkdir()
    with pytest.raises(UserError, match="dev, test, train, val are names of the same split"):
        read(folder.read(tmp_path))


def test_endings_may_be_in_capitals(tmp_path):
    picture = draw(tmp_path / "a.JPG")
    (tmp_path / "a.TXT").write_text("from another system\n")
    ((example,), report) = read(folder.read(tmp_path))
    assert example.captions == ("from another system",)
    assert not report, picture


def test_a_pipe_is_not_waited_for(tmp_path):
    draw(tmp_path / "a.jpg")
    os.mkfifo(tmp_path / "a.txt")
    told, examples = problems(folder.read(tmp_path))
    assert "a.txt: not a file" in told and not examples


def test_an_empty_split_folder_is_refused(tmp_path):
    add(tmp_path / "train" / "a.jpg")
    (tmp_path / "test").mkdir()
    with pytest.raises(UserError, match="test: no pictures; fill the folder, or remove it"):
        read(folder.read(tmp_path))


def test_everything_wrong_is_told_with_its_place(tmp_path):
    root = tmp_path / "raw"
    add(root / "good.jpg")
    draw(root / "no_text.jpg")
    (root / "no_picture.txt").write_text("a card")
    add(root / "two.jpg")
    draw(root / "two.png")
    add(root / "empty.jpg", "")
    add(root / "blank.jpg", "one\n \t\ntwo")
    add(root / "dots.jpg", "one\n...!?\n")
    add(root / "latin.jpg").with_suffix(".txt").write_bytes(b"one\ncaf\xe9\n")
    add(root / "link.jpg")
    (root / "link.jpg").unlink()
    draw(tmp_path / "outside.jpg")
    (root / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    text = add(root / "text.jpg").with_suffix(".txt")
    text.unlink()
    text.symlink_to(tmp_path / "secret.txt")
    (tmp_path / "secret.txt").write_text("a secret")
    (tmp_path / "elsewhere").mkdir()
    (root / "folder").symlink_to(tmp_path / "elsewhere")
    (root / "inside.jpg").symlink_to(root / "good.jpg")
    (root / "inside.txt").write_text("a link within the folder")

    text, examples = problems(folder.read(root))
    assert [example.name for example in examples] == ["blank", "dots", "good", "inside"]
    for line in (
        "no_text.txt: no such file",
        "no_picture.txt: no picture of this name",
        "two: two.jpg and two.png have one caption file",
        "empty.txt: the file holds no caption",
        "blank.txt:2: empty, or only white space",
        "dots.txt:2: '...!?'",
        "latin.txt: byte 0xe9 in line 2; save it as UTF-8",
        f"link.jpg: link.jpg leads out of {root}",
        f"text.txt: text.txt leads out of {root}",
        "folder: a link to a folder",
    ):
        assert line in text
    assert text.count("\n  ") == 10
    with pytest.raises(UserError, match="nowhere: no such folder"):
        folder.read(tmp_path / "nowhere")
