import errno
import os
import types

import pytest

from data_pipeline.support import files
from data_pipeline.support.hashing import file_sha256


@pytest.fixture
def path(tmp_path):
    (tmp_path / "a.txt").write_text("older")
    return tmp_path / "a.txt"


def test_a_file_appears_only_when_complete(path):
    with files.writing_whole(path) as partial:
        partial.write_text("new")
        assert partial.suffix == ".txt" and path.read_text() == "older"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
def test_a_writer_that_fails_leaves_the_older_file(error, path):
    with pytest.raises(error), files.writing_whole(path) as partial:
        partial.write_text("ne")
        raise error
    assert path.read_text() == "older"
    assert list(path.parent.iterdir()) == [path]


def test_a_writer_that_writes_nothing_leaves_the_older_file(path):
    with pytest.raises(FileNotFoundError), files.writing_whole(path):
        pass
    assert path.read_text() == "older"


def test_an_error_of_the_system_names_the_file_that_was_meant(path):
    with (
        pytest.raises(OSError, match="No space left on device") as caught,
        files.writing_whole(path),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.filename == str(path) and path.read_text() == "older"
    with (
        pytest.raises(NotADirectoryError) as caught,
        files.writing_whole(path / "below") as partial,
    ):
        partial.write_text("a")
    assert caught.value.filename == str(path / "below")


def test_text_is_utf_8_with_plain_line_ends(tmp_path):
    files.write_text(tmp_path / "a.txt", "grün\nrot\n")
    assert (tmp_path / "a.txt").read_bytes() == "grün\nrot\n".encode()
    assert os.listdir(tmp_path) == ["a.txt"]


def test_room_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=100))
    files.check_room(tmp_path, 100)
    with pytest.raises(OSError, match="No space left on device"):
        files.check_room(tmp_path, 101)


def test_the_hash_of_files_is_that_of_their_bytes_together(tmp_path):
    for name, data in (("a", b"ab"), ("b", b"c"), ("c", b"abc")):
        (tmp_path / name).write_bytes(data)
    together = file_sha256(tmp_path / "a", tmp_path / "b")
    assert together == file_sha256(tmp_path / "c")
    assert together == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
