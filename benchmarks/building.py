"""Time and memory of converting CUB at its full size, drawn under its own names and boxes.

    python -m benchmarks.building --metadata_dir=birds --workers=2

The drawn pictures stay in --input_dir, where a second call finds them. Memory is that of the
command and its processes together. The last line is JSON.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from absl import flags

from data_pipeline.support.errors import UserError, run

_PAUSE = 0.2  # Seconds between two looks at the memory.


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("metadata_dir", None, "Folder of CUB's metadata.", required=True)
    flags.DEFINE_string("input_dir", "birds_drawn", "Where the drawn pictures are kept.")
    flags.DEFINE_integer("limit", None, "Pictures; all of them if left out.", 1)
    flags.DEFINE_integer("workers", 2, "Processes.", 1)


def main(_: list[str]) -> None:
    """Draws the pictures if need be, converts them and prints the figures."""
    options = flags.FLAGS
    raw = Path(options.input_dir)
    if not raw.exists():
        limit = [f"--limit={options.limit}"] if options.limit else []
        _call(
            "data_pipeline.synthetic",
            *(f"--metadata_dir={options.metadata_dir}", f"--output_dir={raw}", *limit),
        )
    with tempfile.TemporaryDirectory(dir=raw.absolute().parent) as folder:
        seconds, megabytes = _call(
            "data_pipeline.build_tfrecords",
            *("--source=cub", f"--input_dir={raw}", f"--output_dir={folder}/built"),
            f"--workers={options.workers}",
        )
        info = json.loads(Path(folder, "built", "dataset_info.json").read_text())
    pictures = sum(split["images"] for split in info["splits"].values())
    print(f"{pictures} pictures: {seconds:.0f} s, {megabytes:.0f} MB")
    figures = {"images": pictures, "seconds": seconds, "peak_memory_mb": megabytes}
    print(json.dumps({**figures, "images_per_second": pictures / seconds}))


def _call(module, *arguments):
    """Runs a command; returns its seconds and the most MB that its processes held together."""
    start, most = time.monotonic(), 0.0
    process = subprocess.Popen([sys.executable, "-m", module, *arguments])
    while process.poll() is None:
        most = max(most, sum(map(_megabytes, _family(process.pid))))
        time.sleep(_PAUSE)
    if process.returncode:
        raise UserError(f"{module} failed")
    return time.monotonic() - start, most


def _family(pid):
    """A process and all that it has started."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [
            int(child) for task in tasks for child in (task / "children").read_text().split()
        ]
    except OSError:  # It has ended.
        return [pid]
    return [pid, *(one for child in children for one in _family(child))]


def _megabytes(pid):
    """Its share of the memory; pages that processes share count once."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)[1]) / 2**10


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
