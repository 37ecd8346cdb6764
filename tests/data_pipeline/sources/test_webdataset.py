import json
import tarfile

import pytest

from data_pipeline.sources import webdataset
from data_pipeline.support.errors import UserError
from data_pipeline.support.parts import FilePart
from tests.data_pipeline.sources.layouts import jpeg, make_webdataset, problems, read, write_tar


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_samples_of_shards(tmp_path, mode):
    examples, _ = read(make_webdataset(tmp_path, mode)())
    assert [example.split for example in examples] == ["test"] * 2 + ["train"] * 6
    assert examples[2].name == "train-00000/00000"
    assert examples[2].captions == ("a red card",)
    picture = examples[2].picture
    assert isinstance(picture, FilePart) == (mode == "w")
    assert (picture.read() if mode == "w" else picture) == jpeg("red")


def test_keys_by_flag_and_classes(tmp_path):
    values = {"says": ["one", "two"], "kind": 7}
    members = [
        ("sub/a.b.png", jpeg("red")),
        ("sub/a.json", json.dumps(values).encode()),
        ("sub/a.txt", b"another"),
        ("sub/a.cls", b"3\n"),
        ("sub/a.mp4", b"\0" * 2**21),
    ]
    write_tar(tmp_path / "x.tar", [("sub/a.jpg", jpeg("red")), *members[1:]])
    (example,), _ = read(webdataset.read(tmp_path))
    assert (example.name, example.captions, example.class_name) == ("x/sub/a", ("another",), "3")
    ((example,), _) = read(webdataset.read(tmp_path / "x.tar", "says", "kind"))
    assert (example.captions, example.class_name, example.split) == (("one", "two"), "7", None)
    text, examples = problems(webdataset.read(tmp_path, "tells"))
    assert not examples and "x.tar:sub/a: no tells" in text
    text, _ = problems(webdataset.read(tmp_path, None, "sort"))
    assert "x.tar:sub/a.json: no sort" in text


def test_nothing_is_extracted_and_what_is_no_file_is_refused(tmp_path):
    def special(name, kind, link=""):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        return info

    members = [
        (special("folder", tarfile.DIRTYPE), b""),
        (special("link.jpg", tarfile.SYMTYPE, "/etc/passwd"), b""),
        ("link.txt", b"a link"),
        (special("hard.jpg", tarfile.LNKTYPE, "0.jpg"), b""),
        (special("device.jpg", tarfile.CHRTYPE), b""),
        (special("pipe.jpg", tarfile.FIFOTYPE), b""),
        ("/tmp/absolute.jpg", jpeg("red")),
        ("../../up.jpg", jpeg("red")),
        ("0.jpg", jpeg("red")),
        ("0.txt", b"fine"),
        ("huge.jpg", jpeg("red")),
        ("huge.txt", b"a" * 2**21),
    ]
    folder = tmp_path / "in" / "raw"
    write_tar(folder / "x.tar", members)
    text, examples = problems(webdataset.read(folder))
    assert [example.name for example in examples] == ["x/0"]
    for name in ("link", "hard", "device", "pipe"):
        assert f"x.tar:{name}.jpg: a link, a device or another thing that is no file" in text
    for name in ("/tmp/absolute", "../../up"):
        assert f"x.tar:{name}.jpg: its path leads out of the archive" in text
    assert "x.tar:huge.txt: 2,097,152 bytes" in text
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["x.tar"]


def test_bad_samples_and_shards_are_told(tmp_path):
    members = [
        ("none.txt", b"no picture"),
        ("two.jpg", jpeg("red")),
        ("two.png", jpeg("red")),
        ("two.txt", b"two"),
        ("again.jpg", jpeg("red")),
        ("again.jpg", jpeg("red")),
        ("again.txt", b"again"),
        ("cut.jpg", jpeg("red")),
        ("cut.json", b'{"caption": "a'),
        ("list.jpg", jpeg("red")),
        ("list.json", b"[]"),
        ("bare.jpg", jpeg("red")),
        ("blank.jpg", jpeg("red")),
        ("blank.txt", b"  "),
        ("latin.jpg", jpeg("red")),
        ("latin.txt", b"caf\xe9"),
    ]
    write_tar(tmp_path / "x.tar", members)
    text, examples = problems(webdataset.read(tmp_path))
    assert [example.name for example in examples] == ["x/again"]
    for line in (
        "x.tar:none: 0 pictures, expected one (.txt)",
        "x.tar:two: 2 pictures, expected one (.jpg, .png, .txt)",
        "x.tar:again.jpg: there are two of it",
        "x.tar:cut.json: not JSON",
        "x.tar:list.json: expected an object",
        "x.tar:bare: no .txt and no caption or captions or text in .json",
        "x.tar:blank.txt: the file holds no caption",
        "x.tar:latin.txt: byte 0xe9 in line 1",
    ):
        assert line in text
    data = (tmp_path / "x.tar").read_bytes()
    (tmp_path / "x.tar").write_bytes(data[:1000])
    with pytest.raises(UserError, match="x.tar: damaged or cut short"):
        read(webdataset.read(tmp_path))
    (tmp_path / "x.tar").write_bytes(b"no tar" * 200)
    with pytest.raises(UserError, match="x.tar: damaged or cut short"):
        read(webdataset.read(tmp_path))
    (tmp_path / "x.tar").unlink()
    with pytest.raises(UserError, match="no tar files in it"):
        webdataset.read(tmp_path)
