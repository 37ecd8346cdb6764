import dataclasses
import json
import shutil
import types

import h5py
import numpy as np
import pytest

from data_pipeline.support.errors import UserError
from data_pipeline.text.vocabulary import WordpieceVocabulary
from t2i_tf.models import model_directory


@pytest.fixture
def copy(model_dir, tmp_path):
    return shutil.copytree(model_dir, tmp_path / "copy")


def test_saved_model_comes_back(small_model, model_dir):
    loaded = model_directory.load(model_dir, need=("generator", "image_encoder"))
    assert loaded.config == small_model.config
    assert loaded.vocabulary.words == small_model.vocabulary.words
    for name in model_directory.NETWORKS:
        saved, read = getattr(small_model, name), getattr(loaded, name)
        for one, other in zip(saved.get_weights(), read.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    assert (model_dir / model_directory.CARD).read_text(encoding="utf-8").startswith("# ")


def test_the_tokenizer_is_kept_and_words_where_none_is_named(small_model, copy, tmp_path):
    pieces = WordpieceVocabulary(small_model.vocabulary.words)
    model = dataclasses.replace(small_model, vocabulary=pieces)
    model_directory.save(tmp_path / "pieces", model, "# Pieces\n")
    assert model_directory.load(tmp_path / "pieces", need=()).vocabulary == pieces
    path = copy / "config.json"
    config = json.loads(path.read_text())
    assert config.pop("tokenizer") == "words"
    path.write_text(json.dumps(config))
    loaded = model_directory.load(copy, need=())
    assert loaded.vocabulary == small_model.vocabulary and loaded.config == small_model.config


def test_only_what_is_needed_is_loaded(model_dir):
    loaded = model_directory.load(model_dir, need=())
    assert loaded.generator is None and loaded.image_encoder is None


def test_workdir_stands_for_the_model_in_it(copy, tmp_path):
    workdir = tmp_path / "workdir"
    workdir.mkdir()
    shutil.copy(copy / "config.json", workdir)
    shutil.move(copy, workdir / "model")
    assert model_directory.find(workdir) == workdir / "model"
    assert model_directory.load(workdir, need=()).config.name == "small"


def test_replacing_leaves_one_whole_directory(small_model, copy):
    (copy / "image_encoder.weights.h5").write_text("old")
    published = model_directory.ModelDirectory(
        small_model.config,
        small_model.vocabulary,
        small_model.text_encoder,
        None,
        small_model.generator,
    )
    model_directory.save(copy, published, "# New\n")
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]
    assert (copy / "README.md").read_text() == "# New\n"
    assert not (copy / "image_encoder.weights.h5").exists()


def test_half_precision_is_read_like_whole(small_model, tmp_path):
    model_directory.save(tmp_path / "half", small_model, "# Half\n", half_precision=True)
    loaded = model_directory.load(tmp_path / "half", need=model_directory.NETWORKS[1:])
    for name in model_directory.NETWORKS:
        saved, read = getattr(small_model, name), getattr(loaded, name)
        for one, other in zip(saved.get_weights(), read.get_weights(), strict=True):
            np.testing.assert_array_equal(one.astype(np.float16).astype(one.dtype), other)
            assert one.dtype == other.dtype
        types = []
        with h5py.File(model_directory.weights_file(tmp_path / "half", name)) as file:
            file.visititems(lambda _, item, types=types: types.append(getattr(item, "dtype", None)))
        assert np.dtype(np.float16) in types and np.dtype(np.float32) not in types
    suffixes = {path.suffix for path in (tmp_path / "half").iterdir()}
    assert suffixes == {".json", ".txt", ".h5", ".md"}


def test_half_precision_refuses_what_it_cannot_hold(small_model, model_dir, tmp_path):
    loaded = model_directory.load(model_dir)
    variable = loaded.generator.trainable_variables[0]
    variable.assign(np.full(variable.shape, 1e6))
    with pytest.raises(ValueError, match=r"generator\.weights\.h5 has values that float16 cannot"):
        model_directory.save(tmp_path / "half", loaded, "", half_precision=True)
    assert not (tmp_path / "half").exists()


def test_a_full_disk_leaves_the_older_directory(small_model, copy, monkeypatch):
    card = (copy / "README.md").read_text()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=1000))
    with pytest.raises(OSError, match="No space left on device"):
        model_directory.save(copy, small_model, "# New\n")
    assert (copy / "README.md").read_text() == card
    model_directory.load(copy)


def test_incomplete_directory_is_refused_by_name(copy):
    (copy / "generator.weights.h5").unlink()
    (copy / "vocabulary.txt").unlink()
    with pytest.raises(UserError, match="lacks vocabulary.txt, generator.weights.h5$"):
        model_directory.load(copy)


def test_other_weights_are_refused(copy):
    config = json.loads((copy / "config.json").read_text())
    config["generator"]["filters"] = 16
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"config\.json does not .* \(10, 2048\) \(for generator"):
        model_directory.load(copy)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "is no config"),
        ('{"a": 1}', "does not describe a model: .*text_encoder"),
        ('{"data": {"max_words": 6}, "text_encoder": {"cell": "x"}}', "does not describe a model"),
    ],
)
def test_a_config_of_something_else_is_refused(text, message, copy):
    (copy / "config.json").write_text(text)
    with pytest.raises(UserError, match=f"config.json {message}"):
        model_directory.load(copy)


def test_damage_within_the_weights_is_told(copy, small_model, monkeypatch):
    def fail(path):
        raise RuntimeError("bad heap free list")  # What h5py raises where a few bytes are wrong.

    monkeypatch.setattr(small_model.generator, "load_weights", fail)
    with pytest.raises(UserError, match=r"generator\.weights\.h5 .*: bad heap free list"):
        model_directory.load_weights(small_model.generator, copy)


@pytest.mark.parametrize("name", ["text_encoder.weights.h5", "config.json"])
def test_damaged_file_is_named(name, copy):
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=name):
        model_directory.load(copy)


@pytest.mark.parametrize(
    ("section", "name", "value", "message"),
    [
        ("data", "max_words", 2_000_000_000, "max_words is 2000000000, of at most 1024"),
        ("data", "image_size", 64, "image_size is 64, but the generator draws 32 px"),
        ("generator", "filters", 10**9, "the file has no weights of shape"),
        ("generator", "residual_blocks", 10**9, "residual_blocks is 1000000000, for"),
        ("text_encoder", "embedding_dim", 10**9, "the file has no weights of shape"),
    ],
)
def test_sizes_that_the_weights_do_not_have_are_refused_at_once(
    section, name, value, message, copy
):
    config = json.loads((copy / "config.json").read_text())
    config[section][name] = value
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=rf"config\.json.*{message}"):
        model_directory.load(copy)


def test_weights_that_are_no_numbers_are_refused(copy):
    with h5py.File(copy / "generator.weights.h5", "r+") as file:
        file["condition/dense/vars/0"][0, 0] = np.nan
    with pytest.raises(UserError, match=r"generator\.weights\.h5: .*kernel holds .* not finite"):
        model_directory.load(copy)


def test_a_config_nested_too_deeply_is_refused(copy):
    (copy / "config.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"config\.json is not JSON: nested too deeply"):
        model_directory.load(copy)
