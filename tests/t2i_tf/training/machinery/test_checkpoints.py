import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.support.errors import UserError
from t2i_tf.training.machinery.checkpoints import Checkpointer


def make_owners():
    """A network with variables of equal names in a list, and its optimizer."""
    layers = [keras.layers.Dense(3, name=f"dense_{i}") for i in range(2)]
    network = keras.Sequential(layers, name="network")
    network.build((None, 3))
    optimizer = keras.optimizers.Adam(name="optimizer")
    optimizer.build(network.trainable_variables)
    return [network, optimizer]


def values(owners):
    return [np.array(variable) for owner in owners for variable in owner.variables]


def set_values(owners, number):
    for owner in owners:
        for i, variable in enumerate(owner.variables):
            variable.assign(tf.cast(tf.fill(variable.shape, number + i), variable.dtype))


def assert_restored(directory, step, expected):
    owners = make_owners()
    assert Checkpointer(directory, owners).restore() == step
    for mine, theirs in zip(values(owners), expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.fixture
def two_checkpoints(tmp_path):
    """The folder of checkpoints of steps 5 and 10, and the values in them."""
    owners = make_owners()
    checkpointer = Checkpointer(tmp_path, owners)
    saved = []
    for step in (5, 10):
        set_values(owners, step)
        checkpointer.save(step)
        saved.append(values(owners))
    return tmp_path, saved


def test_every_variable_comes_back(two_checkpoints):
    directory, (_, newest) = two_checkpoints
    assert_restored(directory, 10, newest)


def test_an_empty_folder_restores_nothing(tmp_path):
    owners = make_owners()
    before = values(owners)
    assert Checkpointer(tmp_path, owners).restore() == 0
    for mine, theirs in zip(values(owners), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_truncated_newest_checkpoint_falls_back_to_the_one_before(two_checkpoints):
    directory, (older, _) = two_checkpoints
    (data,) = directory.glob("ckpt-10.data*")
    data.write_bytes(data.read_bytes()[:40])
    assert_restored(directory, 5, older)


def test_only_the_last_two_are_kept(two_checkpoints):
    directory, _ = two_checkpoints
    checkpointer = Checkpointer(directory, make_owners())
    checkpointer.restore()
    checkpointer.save(15)
    assert {path.stem for path in directory.glob("*.index")} == {"ckpt-10", "ckpt-15"}


def test_owners_need_distinct_names(tmp_path):
    with pytest.raises(ValueError, match="two owners are called 'network'"):
        Checkpointer(tmp_path, [make_owners()[0], make_owners()[0]])


def make_frozen(seed=0):
    """A network with a random state besides its weights, as an encoder with dropout has."""
    layers = [keras.layers.Dense(3), keras.layers.Dropout(0.5)]
    network = keras.Sequential(layers, name="encoder")
    network.build((None, 3))
    set_values([network], seed)
    assert len(network.variables) > len(network.weights)
    return network


def restored(directory, frozen):
    return Checkpointer(directory, make_owners(), frozen=[frozen]).restore()


def names(directory):
    (path,) = directory.glob("ckpt-*.index")
    return {name.partition("/")[0] for name, _ in tf.train.list_variables(path.with_suffix(""))}


def test_frozen_networks_are_not_saved_and_have_to_be_given_again(tmp_path):
    Checkpointer(tmp_path, make_owners(), frozen=[make_frozen()]).save(5)
    assert not {name for name in names(tmp_path) if name.startswith("encoder")}
    same = make_frozen()
    same.variables[-1].assign([7, 7])  # The state of the dropout's draws is no weight.
    assert restored(tmp_path, same) == 5
    with pytest.raises(UserError, match="the run began with another encoder; give it the same"):
        restored(tmp_path, make_frozen(seed=1))


def test_checkpoints_that_hold_the_frozen_networks_go_on(tmp_path):
    owners = [make_frozen(), *make_owners()]
    Checkpointer(tmp_path / "old", owners).save(5)
    shutil.copytree(tmp_path / "old", tmp_path / "other")
    with pytest.raises(UserError, match="another encoder"):
        restored(tmp_path / "other", make_frozen(seed=1))
    now = make_owners()
    checkpointer = Checkpointer(tmp_path / "old", now, keep=1, frozen=[make_frozen()])
    assert checkpointer.restore() == 5
    for mine, theirs in zip(values(now), values(owners[1:]), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    checkpointer.save(10)
    assert not {name for name in names(tmp_path / "old") if name.startswith("encoder")}
    assert restored(tmp_path / "old", make_frozen()) == 10


@pytest.mark.parametrize("content", [None, ""])
def test_a_lost_list_is_made_anew(two_checkpoints, content):
    directory, (_, newest) = two_checkpoints
    (directory / "checkpoint").unlink()
    if content is not None:
        (directory / "checkpoint").write_text(content)
    assert_restored(directory, 10, newest)


@pytest.mark.parametrize(
    "lines",
    [
        ['model_checkpoint_path: "ckpt-10"', 'all_model_checkpoint_paths: "ckpt-10"'],
        ['model_checkpoint_path: "elsewhere"', 'all_model_checkpoint_paths: "elsewhere"'],
        ["of my own"],
    ],
)
def test_a_list_written_by_hand_loses_no_checkpoint(two_checkpoints, lines):
    directory, (_, newest) = two_checkpoints
    (directory / "checkpoint").write_text("\n".join(lines) + "\n")
    assert_restored(directory, 10, newest)
    assert {path.stem for path in directory.glob("*.index")} == {"ckpt-5", "ckpt-10"}
