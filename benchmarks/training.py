"""A process that trains a GAN and tells how long each step took.

    python -m benchmarks.training CONFIG

CONFIG is a resolved config as a JSON file. Each line on standard input, the batch size, is a step;
the answer is a line of JSON, as `benchmarks.drawing` gives it.
"""

import json
import sys
from pathlib import Path

from ml_collections import ConfigDict

from benchmarks.drawing import peak_memory_mb
from benchmarks.train_step import prepared, stepper


def main(config: str) -> None:
    """Answers each line on standard input."""
    config = ConfigDict(json.loads(Path(config).read_text()))
    step = stepper(*prepared(config))
    for line in sys.stdin:
        assert int(line) == config.train.batch_size
        print(json.dumps({"seconds": step(), "memory_mb": peak_memory_mb()}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
