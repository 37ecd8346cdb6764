import os
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data_pipeline.support.errors import UserError
from data_pipeline.support.pickles import safe_load_pickle

# The head of CUB's published train/class_info.pickle: Python 2, NumPy scalars under
# numpy.core.multiarray.
REAL = Path(__file__).parents[2] / "fixtures" / "cub_train_class_info_head.pickle"


def load(tmp_path, data):
    path = tmp_path / "some.pickle"
    path.write_bytes(data)
    return safe_load_pickle(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_and_numpy_scalars_come_back_as_python_values(tmp_path, protocol):
    value = [{"a": (1, 2.5, None, True)}, b"bytes", "caf\u00e9", 2**70]
    scalars = [np.int64(-3), np.float32(0.5), np.bool_(True), np.dtype(">i2").type(7)]
    result = load(tmp_path, pickle.dumps([value, scalars], protocol=protocol))
    assert result == [value, [-3, 0.5, True, 7]]
    assert [type(number) for number in result[1]] == [int, float, bool, int]


def test_the_published_class_numbers_are_read():
    numbers = safe_load_pickle(REAL)
    assert len(numbers) == 418
    assert list(Counter(numbers).items())[:3] == [(2, 60), (3, 58), (5, 44)]
    assert {type(number) for number in numbers} == {int}


def test_big_endian_scalars_of_python_2(tmp_path):
    data = (
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'i4'\nI0\nI1\ntR"
        b"(I3\nS'>'\nNNNI-1\nI-1\nI0\ntbS'\\x00\\x00\\x01\\x02'\ntR."
    )
    assert load(tmp_path, data) == 258


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_that_runs_something_is_refused_by_name(tmp_path, protocol):
    trap = tmp_path / "executed"
    with pytest.raises(UserError, match=r"some.pickle: refused, for this pickle wants posix.mkdir"):
        load(tmp_path, pickle.dumps([Malicious(trap)], protocol=protocol))
    assert not trap.exists()


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval"),
        (b"cnumpy\nload\n(S'x'\ntR.", "numpy.load"),
        (b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR.", "the NumPy type 'O8'"),
        (b"cnumpy.core.multiarray\nscalar\n(I1\nS'x'\ntR.", "a NumPy scalar of type 1"),
        (pickle.dumps(np.zeros(3)), "numpy._core.(multiarray._reconstruct|numeric._frombuffer)"),
        (b"Pelsewhere\n.", "the persistent object 'elsewhere'"),
    ],
)
def test_everything_but_data_is_refused_by_name(tmp_path, data, wanted):
    with pytest.raises(UserError, match=f"wants {wanted};"):
        load(tmp_path, data)


def test_a_pickle_cannot_change_the_stand_ins(tmp_path):
    """BUILD sets attributes of whatever object it is given."""
    data = b"cnumpy.core.multiarray\nscalar\n(N}S'evil'\nI1\nstb."
    with pytest.raises(UserError, match="damaged or not a pickle"):
        load(tmp_path, data)


@pytest.mark.parametrize("data", [b"", b"not a pickle", pickle.dumps([1, "x" * 99])[:-9]])
def test_damaged_files_are_refused(tmp_path, data):
    with pytest.raises(UserError, match="some.pickle: damaged or not a pickle"):
        load(tmp_path, data)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="none.pickle: cannot read the pickle: No such file"):
        safe_load_pickle(tmp_path / "none.pickle")


def test_a_huge_memo_number_takes_no_memory(tmp_path):
    with pytest.raises(UserError, match="damaged or not a pickle"):
        load(tmp_path, b"\x80\x02]r\xff\xff\xff\xff")
    assert load(tmp_path, b"\x80\x02]r\xff\xff\xff\xff.") == []
