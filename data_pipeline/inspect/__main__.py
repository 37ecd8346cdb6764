"""Shows what a built data set holds, as one HTML page.

    python -m data_pipeline.inspect --data_dir=data/birds --output=birds.html

Counts, captions' lengths, words, classes and sizes of each split, a contact sheet, and pictures
that are there twice, exactly or nearly, also across splits. --verify reads every record and
compares its checksum.
"""

from pathlib import Path

from absl import flags

from data_pipeline.dataset import Split
from data_pipeline.inspect.page import page, repeating, shown_repeats
from data_pipeline.inspect.survey import survey, verify
from data_pipeline.support.errors import UserError, run
from data_pipeline.support.files import write_text
from data_pipeline.support.progress import Progress
from data_pipeline.tfrecord import DatasetInfo


def _define_flags() -> None:
    flags.DEFINE_string("data_dir", None, "Data set to look at.", required=True)
    flags.DEFINE_string("output", "inspect.html", "HTML file to write.")
    flags.DEFINE_boolean("verify", False, "Compare every checksum and decode every picture.")


def _main(_: list[str]) -> None:
    options = flags.FLAGS
    output = Path(options.output)
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise UserError(f"--output={output}: name a file in a folder that exists")
    info = DatasetInfo.load(options.data_dir)
    total = sum(split["images"] for split in info.splits.values())
    if options.verify:
        with Progress(total, "records verified") as progress:
            verify(options.data_dir, info, progress.update)
    splits = {name: Split(options.data_dir, name) for name in info.splits}
    with Progress(total, "pictures") as progress:
        surveys = [survey(split, name, progress.update) for name, split in splits.items()]
    repeats = repeating(surveys)
    thumbnails = {
        (name, row): splits[name].example(row)["image"]
        for name, row in shown_repeats(surveys, repeats)
    }
    write_text(output, page(info, surveys, options.verify, repeats, thumbnails))
    print(f"{output}: {', '.join(f'{own.pictures:,} {own.name}' for own in surveys)} pictures")


def command() -> None:
    """The command line."""
    run(_main, _define_flags)


if __name__ == "__main__":
    command()
