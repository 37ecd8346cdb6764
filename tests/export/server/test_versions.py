"""Which version answers while folders come, go and break; a stand-in for TensorFlow loads them."""

import asyncio
import time

import pytest
import tensorflow as tf

from data_pipeline.support.errors import UserError
from export.server import models
from export.server.models import State, Versions


class FakeVersion:
    def __init__(self, number, folder):
        if (folder / "saved_model.pb").read_text() == "broken":
            raise ValueError("no SavedModel\nat all")
        if (folder / "saved_model.pb").read_text() == "torn":
            raise ValueError(f"{folder}/variables: too short")
        self.number, self.users, self.closed = number, 0, False

    def close(self):
        assert not self.users
        self.closed = True


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    monkeypatch.setattr(models, "Version", FakeVersion)
    monkeypatch.setattr(models, "POLL_SECONDS", 0.01)


def write(folder, content="whole"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").write_text(content)


@pytest.fixture
def versions(tmp_path):
    write(tmp_path / "1")
    versions = Versions("birds", tmp_path)
    versions.load_first()
    return versions


def current(versions):
    with versions.use("birds") as version:
        return version.number


def watch_while(versions, check):
    """Watches until the coroutine function `check` returns."""

    async def both():
        watching = asyncio.create_task(versions.watch())
        try:
            await asyncio.wait_for(check(), 10)
        finally:
            watching.cancel()

    asyncio.run(both())


async def until(condition):
    while not condition():
        await asyncio.sleep(0.01)


def test_the_largest_whole_version_is_loaded(tmp_path):
    for name in ("2", "10", ".11.partial", "12x", "notes"):
        write(tmp_path / name)
    (tmp_path / "13").mkdir()  # No saved_model.pb yet.
    versions = Versions("birds", tmp_path)
    versions.load_first()
    assert current(versions) == 10


def test_versions_are_named_as_in_tensorflow_serving(tmp_path, capfd):
    names = ["007", "00000012", "12", "99999999999999999999", "9" * 200, "\u0663", "\u00b2", "-1"]
    for name in [*names, "v3", ".13"]:
        write(tmp_path / name)
    versions = Versions("birds", tmp_path)
    versions.load_first()
    assert current(versions) == 12
    assert versions.status("birds").model_version_status[0].version == 12
    versions._newest()  # Looks again.
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 7 and all("is not served" in line for line in told)
    assert sum("is another name of a version" in line for line in told) == 1
    assert not any(repr(name) in line for line in told for name in ("007", ".13"))


def test_status_names_no_folder_of_the_machine(versions):
    async def check():
        write(versions.base_path / "2", "torn")
        await until(lambda: versions.states.get(2, (0,))[0] == State.END)
        (status,) = versions.status("birds", 2).model_version_status
        assert status.status.error_message == "2/variables: too short"

    watch_while(versions, check)


@pytest.mark.parametrize("name", ["none", "empty", "1", "broken"])
def test_a_folder_without_a_version_is_refused_in_one_line(tmp_path, name):
    (tmp_path / "empty").mkdir()
    write(tmp_path / "1")
    write(tmp_path / "broken" / "1", "broken")
    message = {
        "none": "no such folder: ",
        "empty": "has no version, a folder named by an integer",
        "1": "this is a version: give the folder above",
        "broken": "1 does not load: no SavedModel$",
    }[name]
    with pytest.raises(UserError, match=message):
        Versions("birds", tmp_path / name).load_first()


def test_a_new_version_takes_over_and_the_old_one_ends_its_requests_first(versions):
    async def check():
        with versions.use("birds") as old:
            write(versions.base_path / "2")
            await until(lambda: current(versions) == 2)
            assert versions.states == {1: (State.UNLOADING, ""), 2: (State.AVAILABLE, "")}
            await asyncio.sleep(0.05)
            assert not old.closed
        await until(lambda: old.closed)
        await until(lambda: versions.states[1] == (State.END, ""))
        with pytest.raises(tf.errors.NotFoundError, match=r"Specific\(birds, 1\)"):
            versions.use("birds", 1).__enter__()

    watch_while(versions, check)


def test_a_version_that_does_not_load_is_told_once_and_tried_again_when_it_changes(versions, capfd):
    async def check():
        write(versions.base_path / "2", "broken")
        await until(lambda: versions.states.get(2) == (State.END, "no SavedModel"))
        await asyncio.sleep(0.1)
        assert current(versions) == 1
        assert capfd.readouterr().err.count("does not load") == 1
        time.sleep(0.02)  # So that the file's time differs.
        write(versions.base_path / "2")
        await until(lambda: current(versions) == 2)

    watch_while(versions, check)


def test_files_that_vanish_while_they_are_looked_at_change_nothing(versions, monkeypatch):
    """As when a version is copied or removed; it is looked at again."""
    listed, calls = models._files, []

    def vanishing(folder):
        calls.append(folder)
        if len(calls) == 1:
            raise FileNotFoundError(folder / "variables")
        return listed(folder)

    monkeypatch.setattr(models, "_files", vanishing)

    async def check():
        write(versions.base_path / "2")
        await until(lambda: current(versions) == 2)

    watch_while(versions, check)
    assert len(calls) == 2


def test_a_folder_that_is_away_for_a_moment_changes_nothing(versions):
    async def check():
        moved = versions.base_path.with_name("moved")
        versions.base_path.rename(moved)
        await asyncio.sleep(0.05)
        assert current(versions) == 1
        moved.rename(versions.base_path)
        write(versions.base_path / "2")
        await until(lambda: current(versions) == 2)

    watch_while(versions, check)


@pytest.mark.parametrize(
    "asked, error, message",
    [
        (("cats",), tf.errors.NotFoundError, r"Latest\(cats\)"),
        (("birds", 7), tf.errors.NotFoundError, r"Specific\(birds, 7\)"),
        (("birds", None, "stable"), tf.errors.InvalidArgumentError, "version label: stable"),
        (("",), tf.errors.InvalidArgumentError, "no name"),
    ],
)
def test_unknown_models_versions_and_labels(versions, asked, error, message):
    with pytest.raises(error, match=message):
        versions.use(*asked).__enter__()
    if asked != ("",):
        with pytest.raises(error):
            versions.status(*asked)


def test_status_names_state_and_error(versions):
    versions.states[2] = State.END, "no SavedModel"
    newest, oldest = versions.status("birds").model_version_status
    assert (newest.version, newest.state, newest.status.error_message) == (
        2,
        State.END,
        "no SavedModel",
    )
    assert (oldest.version, oldest.state, oldest.status.error_code) == (1, State.AVAILABLE, 0)
    (only,) = versions.status("birds", 1).model_version_status
    assert only == oldest
