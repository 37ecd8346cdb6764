"""Imports TensorFlow without the lines that it writes to every terminal."""

import importlib.util
import os
import sys
import tempfile

# No setting keeps these back: they are written before the log's settings are read.
_CHATTER = (
    "All log messages before absl::InitializeLog()",
    "oneDNN custom operations are on",
    "Could not find cuda drivers on your machine",
)


def import_tensorflow() -> None:
    """Imports TensorFlow and Keras, if TensorFlow is there, and drops their usual start-up lines.

    Everything else that they write to stderr meanwhile, such as GPU libraries that do not load, is
    passed on.
    """
    if "tensorflow" in sys.modules or importlib.util.find_spec("tensorflow") is None:
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            import keras  # noqa: F401
            import tensorflow  # noqa: F401
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            captured.seek(0)
            for line in captured.read().decode(errors="replace").splitlines(keepends=True):
                if not any(chatter in line for chatter in _CHATTER):
                    sys.stderr.write(line)
