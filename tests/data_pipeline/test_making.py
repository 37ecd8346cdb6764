import functools
import os
import shutil
import signal
import subprocess
import sys

import pytest

from data_pipeline import builder, making
from data_pipeline.sources import cub, webdataset
from data_pipeline.support.errors import UserError
from tests.commands import ROOT, refused
from tests.data_pipeline.sources.layouts import jpeg, write_tar


def build(source, folder, **options):
    options = {"dataset": "mini", "image_size": 16, "num_shards": 2, **options}
    return builder.build(source, folder, **options)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def interrupting(after):
    """A function that counts pictures and interrupts the build after so many."""
    left = [after]

    def progress(pictures):
        left[0] -= pictures
        if left[0] == 0:
            raise KeyboardInterrupt

    return progress


@pytest.fixture
def source(mini_cub):
    return cub.read(mini_cub.root, None, 10)


@pytest.fixture
def undisturbed(source, tmp_path):
    build(source, tmp_path / "undisturbed")
    return files(tmp_path / "undisturbed")


def test_an_interrupted_build_does_not_make_its_finished_shards_again(
    source, undisturbed, tmp_path
):
    with pytest.raises(KeyboardInterrupt):
        build(source, tmp_path / "built", progress=interrupting(after=3))
    assert not (tmp_path / "built").exists()
    left = []
    build(source, tmp_path / "built", started=left.append)
    assert left == [4]  # The first shard's two are done.
    assert files(tmp_path / "built") == undisturbed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["birds", "built", "undisturbed"]


@pytest.mark.parametrize("change", ["picture", "caption", "size", "seed"])
def test_a_finished_shard_is_made_again_if_what_it_was_made_of_has_changed(
    mini_cub, source, tmp_path, change
):
    with pytest.raises(KeyboardInterrupt):
        build(source, tmp_path / "built", num_shards=1, progress=interrupting(after=5))
    options = {"num_shards": 1}
    if change == "picture":
        shutil.copy(mini_cub.image(mini_cub.names[5]), mini_cub.image(mini_cub.names[0]))
    elif change == "caption":
        mini_cub.write_captions(mini_cub.names[0], [f"a {c} owl" for c in "abcdefghij"])
    else:
        options |= {"size": {"image_size": 8}, "seed": {"seed": 1}}[change]
    left = []
    build(source, tmp_path / "built", started=left.append, **options)
    assert left == [6]
    build(source, tmp_path / "again", **options)
    assert files(tmp_path / "built") == files(tmp_path / "again")


def test_pictures_of_archives_are_known_again(tmp_path):
    """They lie in a file that every run writes anew."""
    members = [
        member
        for i in range(8)
        for member in ((f"{i}.jpg", jpeg("red")), (f"{i}.txt", f"card number {i}".encode()))
    ]
    write_tar(tmp_path / "raw" / "train.tar.gz", members, "w:gz")
    source = webdataset.read(tmp_path / "raw")
    with pytest.raises(KeyboardInterrupt):
        build(source, tmp_path / "built", num_shards=4, progress=interrupting(after=3))
    left = []
    info, _ = build(source, tmp_path / "built", num_shards=4, started=left.append)
    assert left == [6]
    assert sum(split["images"] for split in info.splits.values()) == 8


def test_shards_that_a_killed_run_had_begun_to_move_are_made_again(
    source, undisturbed, tmp_path, monkeypatch
):
    def killed(*arguments):
        next((tmp_path / ".built.shards").glob("*.index-*")).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(making, "collect", killed)
        with pytest.raises(KeyboardInterrupt):
            build(source, tmp_path / "built")
    build(source, tmp_path / "built")
    assert files(tmp_path / "built") == undisturbed


def test_a_killed_build_goes_on(mini_cub, undisturbed, tmp_path):
    """SIGKILL, in the middle of the second shard."""
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from data_pipeline import builder; from data_pipeline.sources import cub\n"
        "done = []\n"
        "def progress(new):\n"
        "    done.append(new)\n"
        "    if len(done) == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "builder.build(cub.read(sys.argv[1], None, 10), sys.argv[2], dataset='mini',\n"
        "              image_size=16, num_shards=2, progress=progress)"
    )
    arguments = [sys.executable, "-c", code, str(mini_cub.root), str(tmp_path / "built")]
    assert subprocess.run(arguments, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    left = []
    build(cub.read(mini_cub.root, None, 10), tmp_path / "built", started=left.append)
    assert left == [4]
    assert files(tmp_path / "built") == undisturbed
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def on_beam(*options):
    pytest.importorskip("apache_beam")
    return functools.partial(making.make_on_beam, runner="DirectRunner", options=options)


def test_beam_makes_the_same_bytes_with_four_workers(source, undisturbed, tmp_path):
    build(source, tmp_path / "built", workers=4, make_elsewhere=on_beam())
    assert files(tmp_path / "built") == undisturbed
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_beam_and_this_process_finish_each_others_builds(source, undisturbed, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        build(source, tmp_path / "built", progress=interrupting(after=3))
    left = []
    build(source, tmp_path / "built", make_elsewhere=on_beam(), started=left.append)
    assert left == [4]
    assert files(tmp_path / "built") == undisturbed


def test_beam_tells_and_leaves_out_bad_pictures(mini_cub, source, tmp_path):
    mini_cub.image(mini_cub.names[0]).write_bytes(b"")
    with pytest.raises(UserError, match=r"1 problem, nothing was written\nunreadable pictures"):
        build(source, tmp_path / "built", make_elsewhere=on_beam())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["birds"]
    info, _ = build(source, tmp_path / "built", make_elsewhere=on_beam(), skip_bad=True)
    assert info.skipped == {"unreadable pictures": 1}


def test_a_failed_pipeline_is_one_line_and_keeps_what_is_finished(
    source, undisturbed, tmp_path, monkeypatch
):
    elsewhere = on_beam()

    def torn(row, examples):
        path = write(row, examples)
        if "test" in path.name:
            path.write_bytes(b"")
        return path

    write = making._write_task
    with monkeypatch.context() as patch:
        patch.setattr(making, "_write_task", torn)
        with pytest.raises(
            UserError, match="the pipeline on DirectRunner failed: .*Ran out of input"
        ):
            build(source, tmp_path / "built", make_elsewhere=elsewhere)
    build(source, tmp_path / "built")
    assert files(tmp_path / "built") == undisturbed


def test_a_runner_without_beam_is_one_line(mini_cub, tmp_path):
    (tmp_path / "apache_beam.py").write_text("raise ImportError('No module named apache_beam')")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    arguments = ["--source=cub", f"--input_dir={mini_cub.root}", f"--output_dir={tmp_path / 'b'}"]
    line = refused(
        "data_pipeline.build_tfrecords", *arguments, "--runner=DirectRunner", env=environment
    )
    assert line.startswith("error: --runner=DirectRunner needs apache-beam (No module")
    assert line.endswith("pip install -r requirements-beam.txt")
