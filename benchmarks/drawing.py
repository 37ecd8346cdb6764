"""A process that draws with one form of a model and tells how long each call took.

    PYTHONPATH=. python benchmarks/drawing.py keras|saved_model|tflite PATH CAPTION IDS

IDS are the caption's token ids, with commas. Each line on standard input is a batch size; the
answer to it is a line of JSON, after one call: `seconds`, and `memory_mb`, the most that the
process has held so far. `benchmarks.inference` starts one for each form, so that each holds only
what its form needs: TFLite's no TensorFlow, which `python -m` would load with the package.
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import data_pipeline  # noqa: F401 - it keeps TensorFlow's start-up lines from the terminal


def keras(path: str, caption: str, ids: np.ndarray) -> Callable[[int], object]:
    """Draws with a model directory as `t2i_tf.generate` does."""
    from t2i_tf.models.text_to_image import TextToImage

    model = TextToImage.from_preset(path)

    def draw(batch):
        return list(model.draw(np.tile(ids, (batch, 1)), np.arange(batch), batch))

    return draw


def saved_model(path: str, caption: str, ids: np.ndarray) -> Callable[[int], object]:
    """Draws with the signature `generate`."""
    import tensorflow as tf

    generate = tf.saved_model.load(path).signatures["generate"]

    def draw(batch):
        text, seed = tf.constant([caption] * batch), tf.range(batch, dtype=tf.int64)
        return generate(text=text, seed=seed)["image"].numpy()

    return draw


def tflite(path: str, caption: str, ids: np.ndarray) -> Callable[[int], object]:
    """Draws with the file's only signature, from token ids and noise of one picture."""
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_path=path, num_threads=os.cpu_count()).get_signature_runner()
    inputs = {}
    for name, detail in run.get_input_details().items():
        inputs[name] = np.zeros(detail["shape"], detail["dtype"])
        if np.issubdtype(detail["dtype"], np.integer):
            inputs[name][0, : len(ids)] = ids

    def draw(batch):
        assert batch == 1
        return next(iter(run(**inputs).values()))

    return draw


FORMS = {"keras": keras, "saved_model": saved_model, "tflite": tflite}


def peak_memory_mb() -> float:
    """Measures as `machine.peak_memory_mb`, which would count what the parent held before."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 2**10


def main(form: str, path: str, caption: str, ids: str) -> None:
    """Answers each line on standard input."""
    draw = FORMS[form](path, caption, np.array(ids.split(","), "int32"))
    for line in sys.stdin:
        start = time.perf_counter()
        draw(int(line))
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "memory_mb": peak_memory_mb()}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
