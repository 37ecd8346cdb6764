"""Reading .pth files: of any age, and nothing but weights."""

import pickle
import re
import sys

import numpy as np
import pytest

from data_pipeline.support.errors import UserError
from t2i_tf.published.torch_files import read_state_dict
from tests import published_files
from tests.published_files import torch

CONTAINERS = ("zip", "old")


@pytest.fixture(params=CONTAINERS)
def save(request, tmp_path):
    return lambda value: published_files.save(value, tmp_path / "x.pth", request.param)


def state():
    return {"a.weight": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(3)}


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return exec, (f"open({str(self.path)!r}, 'w').close()",)


def test_both_containers_give_the_arrays(save):
    read = read_state_dict(save(state()))
    np.testing.assert_array_equal(read["a.weight"], [[0, 1, 2], [3, 4, 5]])
    assert read["a.weight"].dtype == np.float32 and read["n"] == 3


def test_files_of_python_2_are_read(tmp_path):
    expected = published_files.state_dict("text_encoder_lstm")
    read = read_state_dict(published_files.save_as_python_2(expected, tmp_path / "x.pth"))
    assert list(read) == list(expected)
    for key, tensor in expected.items():
        np.testing.assert_array_equal(read[key], tensor)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_any_float_becomes_float32(dtype, tmp_path):
    path = published_files.save(
        {"a": torch.full((3,), 1.5, dtype=getattr(torch, dtype))}, tmp_path / "x.pth"
    )
    assert read_state_dict(path)["a"].dtype == np.float32
    np.testing.assert_array_equal(read_state_dict(path)["a"], [1.5] * 3)


def test_wrappings_come_off(tmp_path):
    parallel = {
        f"module.{key}": torch.nn.Parameter(value.float()) for key, value in state().items()
    }
    optimizer = {"state": {}, "param_groups": [{"lr": 0.1}]}
    wrapped = {"epoch": 600, "netG": parallel, "optimizer": optimizer}
    assert set(read_state_dict(published_files.save(wrapped, tmp_path / "x.pth"))) == {
        "a.weight",
        "n",
    }


def test_a_file_that_would_run_something_is_refused(save, tmp_path):
    trap = tmp_path / "trap"
    path = save({"a.weight": torch.zeros(2), "b": Trap(trap)})
    torch.load(path, weights_only=False)
    assert trap.exists()  # the trap works
    trap.unlink()
    with pytest.raises(UserError, match=r"^refused, for it wants exec;.*save model.state_dict\(\)"):
        read_state_dict(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.pth"]


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_plain_pickle_that_would_run_something_is_refused(protocol, tmp_path):
    path, trap = tmp_path / "x.pth", tmp_path / "trap"
    path.write_bytes(pickle.dumps(Trap(trap), protocol=protocol))
    with pytest.raises(UserError):
        read_state_dict(path)
    assert not trap.exists()


def test_a_whole_model_is_refused(save):
    message = "^refused, for it wants torch.nn.modules.linear.Linear; .*of a whole model"
    with pytest.raises(UserError, match=message):
        read_state_dict(save(torch.nn.Linear(2, 3)))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], "holds a list, not a state dict"),
        ({}, r"no state dict \(its keys: none\)"),
        ({"epoch": 3}, r"no state dict \(its keys: epoch\)"),
        ({"netG": state(), "netD": state()}, r"several state dicts \(netG, netD\): save the one"),
        (state() | {"b": torch.tensor([1.0, np.nan])}, "weights that are not finite, in b"),
        (state() | {"b": torch.zeros(3, dtype=torch.int8)}, r"no plain weights in b \(torch.int8"),
        (state() | {"b": torch.eye(3).to_sparse()}, r"no plain weights in b .*sparse"),
        (state() | {"b": torch.zeros(1).expand(10**12)}, "damaged: its tensors claim 4,000,000,0"),
    ],
)
def test_anything_but_one_state_dict_is_named(value, message, save):
    with pytest.raises(UserError, match=message) as error:
        read_state_dict(save(value))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kept", [0, 3, 40, 0.5, 0.99])
def test_truncated_files_are_named(kept, save):
    path = save(state())
    data = path.read_bytes()
    path.write_bytes(data[: kept if isinstance(kept, int) else int(len(data) * kept)])
    with pytest.raises(UserError, match=r"^damaged or no file of PyTorch's weights \(\w+\)$"):
        read_state_dict(path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(UserError, match="^cannot be read: No such file or directory$"):
        read_state_dict(tmp_path / "none.pth")


def test_missing_pytorch_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UserError, match=re.escape("pip install -r requirements-torch.txt")):
        read_state_dict(tmp_path / "x.pth")
