"""`import t2i_tf` and what it offers."""

import subprocess
import sys

import pytest

import t2i_tf
from data_pipeline.support.errors import UserError
from t2i_tf.models.text_to_image import TextToImage
from tests.commands import ROOT


def test_the_public_names_are_those_of_their_modules():
    assert t2i_tf.TextToImage is TextToImage
    assert t2i_tf.UserError is UserError
    assert isinstance(t2i_tf.__version__, str)
    assert set(t2i_tf.__all__) <= set(dir(t2i_tf))
    for name in t2i_tf.__all__:
        getattr(t2i_tf, name)


def test_another_name_is_no_attribute():
    with pytest.raises(AttributeError, match="module 't2i_tf' has no attribute 'nonsense'"):
        _ = t2i_tf.nonsense
    with pytest.raises(ImportError):
        from t2i_tf import nonsense  # noqa: F401


def test_the_import_takes_no_tensorflow():
    program = (
        "import sys, t2i_tf\n"
        "for name in ('tensorflow', 'keras', 'numpy', 'torch'):\n"
        "    assert name not in sys.modules, name\n"
        "assert t2i_tf.__version__ and t2i_tf.UserError and 'TextToImage' in dir(t2i_tf)\n"
        "assert 'tensorflow' not in sys.modules\n"
        "t2i_tf.TextToImage\n"
        "assert 'tensorflow' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "oneDNN" not in done.stderr
