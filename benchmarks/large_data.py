"""Training batches from a data set of any size, against a small one: rate, memory, first batch.

    python -m benchmarks.large_data --config=cub_attngan2 --records=200000 --folder=/data/bench

The records repeat 256 pictures under other names; 200,000 of 304 px take about 8 GB. Both data sets
stay in --folder, where a second call finds them. The two take turns. `anonymous_mb` is the resident
memory without the pages of files, which the system drops when memory runs short;
`first_batch_seconds` counts from the start of a process of its own. The last line is JSON.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from absl import flags

from benchmarks.input_pipeline import RECORDS, decoded, time_of, write_photographs
from data_pipeline.dataset import Split
from data_pipeline.support.errors import run
from data_pipeline.support.scratch import appearing
from t2i_tf.networks.generator import Generator
from t2i_tf.training.flags import define_config


def define_flags() -> None:
    """Defines the command's flags."""
    define_config()
    flags.mark_flag_as_required("config")
    flags.DEFINE_string("folder", None, "Where the data sets are kept.", required=True)
    flags.DEFINE_integer("records", 200_000, "Records of the large data set.", 1)
    flags.DEFINE_integer("rounds", 7, "Timed turns of each.", 1)
    flags.DEFINE_integer("images", 600, "Images of a turn, at the least.", 1)
    flags.DEFINE_boolean("first_batch", False, "Only make the large data set's first batch.")


def main(_: list[str]) -> None:
    """Measures and prints the figures."""
    options = flags.FLAGS
    config = options.config.copy_and_resolve_references()
    image_sizes = Generator(**config.generator).image_sizes
    folders = {
        name: Path(options.folder) / f"{config.name}_{records}"
        for name, records in (("small", RECORDS), ("large", options.records))
    }

    def stream(name):
        return Split(folders[name], "train").train_batches(
            batch_size=config.train.batch_size,
            image_sizes=image_sizes,
            max_words=config.data.max_words,
            seed=config.seed,
            exchange_words=config.data.exchange_words,
        )

    if options.first_batch:
        next(iter(stream("large")))
        return
    for name, records in (("small", RECORDS), ("large", options.records)):
        if not folders[name].exists():
            with appearing(folders[name].absolute()) as folder:
                write_photographs(folder, config, image_sizes[-1], records)
    start = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "benchmarks.large_data", *sys.argv[1:], "--first_batch"], check=True
    )
    first_batch = time.monotonic() - start
    batch = config.train.batch_size
    batches = -(-options.images // batch)
    datasets = {
        "large": stream("large"),
        "small": stream("small"),
        "decoder": decoded(Split(folders["small"], "train"), batch),
    }
    rates, memory = {name: [] for name in datasets}, 0.0
    for turn in range(options.rounds + 1):  # The first one warms up.
        for name, dataset in datasets.items():
            seconds = time_of(dataset, batches)
            if turn:
                rates[name].append(batches * batch / seconds)
            memory = max(memory, anonymous_mb())
    large, small, decoder = (statistics.median(rates[name]) for name in datasets)
    figures = {
        "images_per_second": large,
        "fraction_of_small": large / small,
        "fraction_of_decoder": large / decoder,
        "anonymous_mb": memory,
        "first_batch_seconds": first_batch,
        "records": options.records,
        "config": config.name,
        "batch": batch,
    }
    for name, value in figures.items():
        print(f"  {name:<20} {value if isinstance(value, str) else round(value, 3)}")
    print(json.dumps(figures))


def anonymous_mb() -> float:
    """Reads this process's resident memory without the pages of files, in MB."""
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in status if line.startswith("RssAnon:"))
    return int(line.split()[1]) / 2**10


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
