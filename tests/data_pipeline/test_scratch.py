import pytest

from data_pipeline.errors import UserError
from data_pipeline.scratch import appearing, scratch


def test_a_folder_appears_only_when_complete(tmp_path):
    target = tmp_path / "data" / "birds"
    with appearing(target) as folder:
        (folder / "a.txt").write_text("a")
        assert not target.exists()
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["birds"]
    assert (target / "a.txt").read_text() == "a"


def test_what_a_killed_process_left_is_removed(tmp_path):
    left = tmp_path / ".birds.partial" / "birds" / "images"
    left.mkdir(parents=True)
    (left / "half.jpg").touch()
    with appearing(tmp_path / "birds") as folder:
        assert not list(folder.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["birds"]


def test_two_processes_do_not_write_the_same(tmp_path):
    with scratch(tmp_path / "birds", "drawn") as folder:
        (folder / "a.txt").touch()
        with (
            pytest.raises(UserError, match=r"another process is writing .*birds; wait for it"),
            scratch(tmp_path / "birds", "drawn"),
        ):
            pass
        assert (folder / "a.txt").exists()
    assert not list(tmp_path.iterdir())
