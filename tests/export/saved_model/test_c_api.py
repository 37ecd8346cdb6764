"""An exported model answers without Keras and this project, even without Python's TensorFlow."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from export import saved_model

TEXT, SEED = "this small bird has a red crown, blue wings and a green belly", 3
CLIENT = Path(__file__).with_name("c_api.py")

# To import what is None is an error. TensorFlow itself imports Keras where there is one.
PROGRAM = """
import sys
others = ("keras", "tf_keras", "tensorflow_text", "t2i_tf", "data_pipeline", "export", "tests")
sys.modules |= dict.fromkeys(others)
import numpy as np
import tensorflow as tf
generate = tf.saved_model.load(sys.argv[1]).signatures["generate"]
text, seed = tf.constant([sys.argv[2]]), tf.constant([int(sys.argv[3])], tf.int64)
image = generate(text=text, seed=seed)["image"].numpy()
open(sys.argv[4], "wb").write(image.tobytes())
print(*image.shape)
imported = {name.split(".")[0] for name, module in sys.modules.items() if module is not None}
print(*imported.intersection(others))
"""


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """An export of the bundled model in another folder than the one that it was written to."""
    folder = tmp_path_factory.mktemp("moved")
    version = saved_model.export("bundled:64", folder / "written")
    return shutil.move(version, folder / "7")


@pytest.fixture(scope="module")
def expected(moved):
    generate = tf.saved_model.load(str(moved)).signatures["generate"]
    return generate(text=tf.constant([TEXT]), seed=tf.constant([SEED], tf.int64))["image"].numpy()


def run(folder, *arguments):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


def assert_same_picture(file, image):
    drawn = np.frombuffer(file.read_bytes(), np.uint8).reshape(image.shape)
    assert np.ptp(image) > 50
    assert np.abs(drawn.astype(int) - image).max() <= 1


def test_answers_without_keras_and_this_project(moved, expected, tmp_path):
    out = tmp_path / "image"
    shape, loaded = run(tmp_path, "-c", PROGRAM, moved, TEXT, SEED, out)
    assert (shape, loaded) == ("1 64 64 3", "")
    assert_same_picture(out, expected)


def test_answers_through_the_c_api(moved, expected, tmp_path):
    parsed = saved_model_pb2.SavedModel.FromString((Path(moved) / "saved_model.pb").read_bytes())
    signature = parsed.meta_graphs[0].signature_def["generate"]
    names = [signature.inputs[name].name for name in ("text", "seed")]
    names.append(signature.outputs["image"].name)
    libraries, out = Path(tf.__file__).parent, tmp_path / "image"
    printed = run(tmp_path, CLIENT, libraries, moved, TEXT, SEED, out, *names)
    assert printed == ["1 64 64 3"]
    assert_same_picture(out, expected)
