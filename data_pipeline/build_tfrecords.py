"""Builds TFRecord shards from raw pictures and captions.

python -m data_pipeline.build_tfrecords --source=cub --input_dir=data/birds --output_dir=data/cub
python -m data_pipeline.build_tfrecords --source=synthetic --output_dir=data/drawn
"""

import os
import sys

from absl import flags

from data_pipeline.support.errors import UserError, run
from data_pipeline.support.progress import Progress

# TensorFlow is imported inside functions: the pool's processes import this module without it.


def _main(arguments: list[str]) -> None:
    del arguments
    values = flags.FLAGS
    if values.source != "synthetic" and not values.input_dir:
        raise UserError(f"--source={values.source} needs --input_dir, the folder of the raw data")
    workers = values.workers or os.cpu_count() or 1
    if values.input_dir:
        _build(values, values.input_dir, workers)
        return
    from data_pipeline import builder
    from data_pipeline.support.scratch import scratch

    # Checked before anything is drawn.
    output_dir = builder.free_output_dir(values.output_dir)
    with scratch(output_dir, "drawn") as drawn:
        _draw(values, drawn, workers)
        _build(values, drawn, workers)


def _draw(values: flags.FlagValues, folder: os.PathLike, workers: int) -> None:
    from data_pipeline import synthetic

    with Progress(values.num_train + values.num_test, "drawings") as progress:
        synthetic.write(
            folder,
            num_train=values.num_train,
            num_test=values.num_test,
            num_species=values.num_species,
            seed=values.seed,
            variety=values.variety,
            picture_size=values.picture_size,
            workers=workers,
            progress=lambda new, total: progress.update(new),
        )


def _build(values: flags.FlagValues, input_dir: str | os.PathLike, workers: int) -> None:
    from data_pipeline import builder
    from data_pipeline.sources import cub
    from data_pipeline.vocabulary import Vocabulary

    output_dir = builder.free_output_dir(values.output_dir)
    vocabulary = Vocabulary.load(values.vocabulary) if values.vocabulary else None
    raw = cub.read(input_dir, values.metadata_dir, values.captions_per_image)
    with Progress(len(raw.examples), "pictures") as progress:
        info, warnings = builder.build(
            raw,
            output_dir,
            dataset=values.source,
            image_size=values.image_size,
            num_shards=values.num_shards,
            vocabulary=vocabulary,
            workers=workers,
            seed=values.seed,
            progress=progress.update,
        )
    for warning in (*raw.notes, *warnings):
        print(f"warning: {warning}", file=sys.stderr)
    counts = ", ".join(f"{split['images']} {name}" for name, split in info.splits.items())
    size, words = info.stored_size, info.vocabulary["size"]
    print(f"{output_dir}: {counts} pictures of {size} px, {words} words")


def _define_flags() -> None:
    flags.DEFINE_enum("source", None, ["cub", "synthetic"], "Kind of raw data.", required=True)
    flags.DEFINE_string("input_dir", None, "Raw data; synthetic data is drawn without it.")
    flags.DEFINE_string("metadata_dir", None, "Split and tables, if they are not in input_dir.")
    flags.DEFINE_string("output_dir", None, "Folder to write; new or empty.", required=True)
    flags.DEFINE_integer("image_size", 256, "Largest final resolution in pixels.", lower_bound=8)
    flags.DEFINE_integer("num_shards", 8, "Files of the largest split.", lower_bound=1)
    flags.DEFINE_integer("captions_per_image", 10, "Captions in each caption file.", lower_bound=1)
    flags.DEFINE_string("vocabulary", None, "Known words: text, one per line, or captions.pickle.")
    flags.DEFINE_integer("workers", 0, "Processes; 0: one per core.", lower_bound=0)
    flags.DEFINE_integer("seed", 0, "Decides the order of the records, and what is drawn.")
    flags.DEFINE_integer("num_train", 8855, "Synthetic: pictures to train on.", lower_bound=1)
    flags.DEFINE_integer("num_test", 2933, "Synthetic: pictures to test on.", lower_bound=1)
    flags.DEFINE_integer("num_species", None, "Synthetic: classes; by default up to 729.")
    flags.DEFINE_enum("variety", "full", ["plain", "full"], "Synthetic: how much varies.")
    flags.DEFINE_integer("picture_size", 500, "Synthetic: longer side in pixels.", lower_bound=32)


def command() -> None:
    """The command line."""
    run(_main, _define_flags)


if __name__ == "__main__":
    command()
