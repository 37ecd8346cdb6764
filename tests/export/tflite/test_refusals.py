"""Exports to LiteRT that are refused, that fail and that replace an earlier one."""

import shutil
import subprocess
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from data_pipeline.support.errors import UserError
from export import tflite
from export.tflite import convert as tflite_convert
from export.tflite import writer
from tests.commands import command


def copy_of(model_dir, folder):
    return Path(shutil.copytree(model_dir, folder / "model"))


def no_model(model_dir, folder):
    return {"model_dir": folder}, "is no model directory"


def no_vocabulary(model_dir, folder):
    copy = copy_of(model_dir, folder)
    (copy / "vocabulary.txt").unlink()
    return {"model_dir": copy}, "lacks vocabulary.txt"


def other_vocabulary(model_dir, folder):
    copy = copy_of(model_dir, folder)
    with open(copy / "vocabulary.txt", "a") as file:
        file.write("word\n")
    return {"model_dir": copy}, "vocabulary.txt"


def unknown_variant(model_dir, folder):
    return {"quantize": ["float32", "int4"]}, "no variants 'float32,int4': choose of float32, "


def no_variant(model_dir, folder):
    return {"quantize": []}, "no variants '': choose of"


def output_file(model_dir, folder):
    (folder / "file").touch()
    return {"output_dir": folder / "file"}, "file is a file"


def existing(model_dir, folder):
    (folder / "out").mkdir()
    (folder / "out" / "text_to_image_int8.tflite").touch()
    return {}, "text_to_image_int8.tflite exists already"


def no_captions(model_dir, folder):
    return {"captions_file": folder / "nothing.txt"}, "cannot read the captions"


@pytest.mark.parametrize(
    "case",
    [
        no_model,
        no_vocabulary,
        other_vocabulary,
        unknown_variant,
        no_variant,
        output_file,
        existing,
        no_captions,
    ],
)
def test_refusals(case, model_dir, tmp_path):
    changes, message = case(model_dir, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    arguments = {"model_dir": model_dir, "output_dir": tmp_path / "out"} | changes
    with pytest.raises(UserError, match=message) as error:
        tflite.export(**arguments)
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_command_refuses_in_one_line(tmp_path):
    arguments = command(
        "export.tflite", f"--model_dir={tmp_path}", f"--output_dir={tmp_path / 'out'}"
    )
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_an_earlier_export_is_replaced_whole(model_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "_convert_apart", tflite_convert.convert)
    for name in ("text_to_image_int8.tflite", "notes.txt"):
        (tmp_path / name).write_text("older")
    (row,) = tflite.export(model_dir, tmp_path, ["float32"], overwrite=True)
    assert row.path == tmp_path / "text_to_image_float32.tflite"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "notes.txt",
        "text_to_image.json",
        "text_to_image.md",
        "text_to_image_float32.tflite",
    ]


class CrashingPool:
    def __init__(self, *arguments, **options): ...

    def __enter__(self):
        return self

    def __exit__(self, *error): ...

    def submit(self, *arguments):
        raise BrokenProcessPool("terminated abruptly")


def test_a_crash_of_the_converter_is_told_and_the_earlier_export_kept(
    model_dir, tmp_path, monkeypatch
):
    monkeypatch.setattr(writer, "process_pool", CrashingPool)
    (tmp_path / "text_to_image_int8.tflite").write_text("older")
    with pytest.raises(UserError, match="crashed on int8"):
        tflite.export(model_dir, tmp_path, ["int8"], overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["text_to_image_int8.tflite"]
