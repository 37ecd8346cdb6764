"""Builds TFRecord shards from raw pictures and captions.

python -m data_pipeline.build_tfrecords --source=cub --input_dir=data/birds --output_dir=data/cub
python -m data_pipeline.build_tfrecords --source=folder --input_dir=pictures --output_dir=data/own
python -m data_pipeline.build_tfrecords --source=synthetic --output_dir=data/drawn

docs/data.md describes every source, and how a cluster shares the work (--runner).
"""

import functools
import os
import sys

from absl import flags

from data_pipeline.sources.registry import SOURCES, open_source, options_of
from data_pipeline.sources.source import Source
from data_pipeline.support.beam import define_runner
from data_pipeline.support.errors import run
from data_pipeline.support.progress import Progress

_SOURCE_OPTIONS = (
    *("input_dir", "metadata_dir", "captions_per_image", "class_folders", "images_dir"),
    *("image_column", "caption_column", "split_column", "class_column", "box_column"),
    *("coco_year", "tfds_name"),
)

# TensorFlow is imported inside functions: the pool's processes import this module without it.


def _main(arguments: list[str]) -> None:
    values = flags.FLAGS
    workers = values.workers or os.cpu_count() or 1
    options = {option: values[option].value for option in _SOURCE_OPTIONS}
    name = values.source
    if name == "synthetic":
        name = "cub"  # It is drawn in CUB's layout.
        if not values.input_dir:
            _draw_and_build(values, options, workers, arguments[1:])
            return
    if "seed" in options_of(name):
        options["seed"] = values.seed
    _build(values, open_source(name, options), workers, arguments[1:])


def _draw_and_build(
    values: flags.FlagValues, options: dict, workers: int, beam_options: list[str]
) -> None:
    from data_pipeline import builder
    from data_pipeline.support.scratch import scratch

    # Checked before anything is drawn.
    output_dir = builder.free_output_dir(values.output_dir)
    with scratch(output_dir, "drawn") as drawn:
        _draw(values, drawn, workers)
        source = open_source("cub", {**options, "input_dir": drawn})
        _build(values, source, workers, beam_options)


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
            language=values.language,
            workers=workers,
            progress=lambda new, total: progress.update(new),
        )


def _build(values: flags.FlagValues, source: Source, workers: int, beam_options: list[str]) -> None:
    from data_pipeline import builder, making
    from data_pipeline.text.vocabulary import Vocabulary, WordpieceVocabulary, load, unit

    output_dir = builder.free_output_dir(values.output_dir)
    vocabulary = load(values.vocabulary, values.tokenizer) if values.vocabulary else None
    learn = Vocabulary.from_captions
    if values.tokenizer == "wordpiece":
        learn = functools.partial(WordpieceVocabulary.from_captions, size=values.vocabulary_size)
    make_elsewhere = None
    if values.runner:
        make_elsewhere = functools.partial(
            making.make_on_beam, runner=values.runner, options=beam_options
        )
    with Progress(0, "pictures") as progress:
        info, warnings = builder.build(
            source,
            output_dir,
            dataset=values.source,
            image_size=values.image_size,
            num_shards=values.num_shards,
            vocabulary=vocabulary,
            learn=learn,
            validation=values.validation,
            skip_bad=values.skip_bad,
            workers=workers,
            make_elsewhere=make_elsewhere,
            seed=values.seed,
            started=progress.start,
            progress=progress.update,
        )
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    counts = ", ".join(f"{split['images']} {name}" for name, split in info.splits.items())
    size, words = info.stored_size, info.vocabulary["size"]
    print(f"{output_dir}: {counts} pictures of {size} px, {words} {unit(info.vocabulary)}")


def _define_flags() -> None:
    flags.DEFINE_enum("source", None, [*SOURCES, "synthetic"], "Kind of raw data.", required=True)
    flags.DEFINE_string("input_dir", None, "Raw data; synthetic data is drawn without it.")
    flags.DEFINE_string("output_dir", None, "Folder to write; new or empty.", required=True)
    flags.DEFINE_integer("image_size", 256, "Largest final resolution in pixels.", lower_bound=8)
    flags.DEFINE_integer("num_shards", 8, "Files of the largest split.", lower_bound=1)
    flags.DEFINE_string(
        "vocabulary", None, "Known words, or pieces: text, one per line, or captions.pickle."
    )
    flags.DEFINE_enum(
        "tokenizer",
        "words",
        ["words", "wordpiece"],
        "How captions are split: into words, or into pieces of words, of which any word is made.",
    )
    flags.DEFINE_integer(
        "vocabulary_size", 8000, "wordpiece: most pieces that are learnt.", lower_bound=2
    )
    flags.DEFINE_float(
        "validation",
        0.05,
        "Share of the train split to test on, where the data has no test split; whole classes.",
        lower_bound=0.0,
        upper_bound=0.5,
    )
    flags.DEFINE_boolean("skip_bad", False, "Leave bad pictures and captions out, and count them.")
    flags.DEFINE_integer("workers", 0, "Processes; 0: one per core.", lower_bound=0)
    define_runner(None)
    flags.DEFINE_integer("seed", 0, "Decides the order of the records, and what is drawn.")
    _define_source_flags()
    flags.DEFINE_integer("num_train", 8855, "Synthetic: pictures to train on.", lower_bound=1)
    flags.DEFINE_integer("num_test", 2933, "Synthetic: pictures to test on.", lower_bound=1)
    flags.DEFINE_integer("num_species", None, "Synthetic: classes; by default up to 729.")
    flags.DEFINE_enum("variety", "full", ["plain", "full"], "Synthetic: how much varies.")
    flags.DEFINE_integer("picture_size", 500, "Synthetic: longer side in pixels.", lower_bound=32)
    flags.DEFINE_enum("language", "en", ["en", "ru"], "Synthetic: language of the captions.")


def _define_source_flags() -> None:
    """Options of the sources; one that is not given is not handed on."""
    flags.DEFINE_string("metadata_dir", None, "cub, coco: the split, if it is not in input_dir.")
    flags.DEFINE_integer(
        "captions_per_image",
        None,
        "cub, celeba, folder: captions of each picture; by default 10, for folder any number.",
        lower_bound=1,
    )
    flags.DEFINE_boolean("class_folders", None, "folder: subfolders are classes; true by default.")
    flags.DEFINE_string("images_dir", None, "table: folder of the pictures, if not the table's.")
    flags.DEFINE_string("image_column", None, "table, tfds: column of the pictures' paths.")
    flags.DEFINE_string("caption_column", None, "table, webdataset, tfds: column of the captions.")
    flags.DEFINE_string("split_column", None, "table: column of the splits.")
    flags.DEFINE_string("class_column", None, "table, webdataset: column of the classes.")
    flags.DEFINE_string("box_column", None, "table: column of the boxes, x,y,width,height.")
    flags.DEFINE_integer("coco_year", None, "coco: 2014 or 2017, if both are in input_dir.")
    flags.DEFINE_string("tfds_name", None, "tfds: name of the data set, such as coco_captions.")


def command() -> None:
    """The command line."""
    run(_main, _define_flags, others_flags="runner")


if __name__ == "__main__":
    command()
