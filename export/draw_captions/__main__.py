"""The command that `export.draw_captions` describes."""

import sys
from pathlib import Path

from absl import flags

from data_pipeline.support import beam
from data_pipeline.support.errors import run
from data_pipeline.support.scratch import locked
from export import draw_captions
from export.draw_captions import job

__doc__ = draw_captions.__doc__  # for --help


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("saved_model_dir", None, "SavedModel, or folder of versions; the newest.")
    flags.DEFINE_string(
        "captions_file", None, "Text of a caption a line, CSV, TSV, JSONL, Parquet."
    )
    flags.DEFINE_string("caption_column", None, "Table: column of the captions.")
    flags.DEFINE_string("id_column", None, "Table: column of the ids; by default id, or numbers.")
    flags.DEFINE_string("output_dir", None, "Folder for the pictures and their index.")
    flags.mark_flags_as_required(["saved_model_dir", "captions_file", "output_dir"])
    flags.DEFINE_integer("num_images", 1, "Pictures of each caption.", 1)
    flags.DEFINE_integer("seed", 0, "Seed of each caption's first picture.", 0, 2**62)
    flags.DEFINE_integer("batch_size", 8, "Pictures drawn together.", 1)
    beam.define_runner("DirectRunner")
    flags.DEFINE_integer("workers", 1, "DirectRunner: processes.", 1)


def main(arguments: list[str]) -> None:
    """Draws what the flags ask for."""
    options = flags.FLAGS
    work = job.Job(
        job.newest_version(Path(options.saved_model_dir)),
        job.read_captions(Path(options.captions_file), options.caption_column, options.id_column),
        options.num_images,
        options.seed,
        options.batch_size,
    )
    for warning in work.check_words():
        print(f"warning: {warning}", file=sys.stderr)
    folder = Path(options.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, folder):
        if not work.claim(folder):
            draw(work, folder, options.runner, arguments[1:], options.workers)
    print(f"{folder}: {len(work)} pictures, listed in {folder / job.INDEX}")


def draw(work: job.Job, folder: Path, runner: str, beam_options: list[str], workers: int) -> None:
    """Draws what is missing of a job in its folder, and writes the index.

    Args:
        work: The job.
        folder: Its folder, claimed.
        runner: See `beam.run`.
        beam_options: See `beam.run`.
        workers: See `beam.run`.

    Raises:
        UserError: See `beam.run`.
    """
    plans = work.plan(folder)

    def build(pipeline):
        from export.draw_captions import pipeline as drawing

        return drawing.build(pipeline, plans, work.model, work.batch_size)

    beam.run(build, runner, beam_options, workers)
    work.finish(folder)


def command() -> None:
    """The command line."""
    run(main, define_flags, others_flags="runner")


if __name__ == "__main__":
    command()
