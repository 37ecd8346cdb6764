import subprocess
import sys

PROGRAM = """
import os
from data_pipeline.support import quiet
{before}
quiet.install()
import tensorflow as tf
print(tf.add(1, 2).numpy())
"""


def run(before=""):
    program = PROGRAM.format(before=before)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )


def test_tensorflow_starts_without_its_usual_lines():
    done = run()
    assert done.stdout == "3\n"
    assert "oneDNN" not in done.stderr
    assert "InitializeLog" not in done.stderr


def test_everything_else_is_passed_on(tmp_path):
    (tmp_path / "keras.py").write_text("import os\nos.write(2, b'a library does not load\\n')\n")
    done = run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})")
    assert "a library does not load" in done.stderr
