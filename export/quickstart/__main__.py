"""The command that `export.quickstart` describes."""

from pathlib import Path

from absl import flags

import export.quickstart
from data_pipeline.support.errors import run

__doc__ = export.quickstart.__doc__  # for --help


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("output_dir", "quickstart", "Folder for everything.")
    flags.DEFINE_boolean("short", False, "Little data, few steps: tries the machinery only.")


def main(_: list[str]) -> None:
    """Runs the quickstart."""
    output_dir = Path(flags.FLAGS.output_dir)
    export.quickstart.quickstart(output_dir, flags.FLAGS.short)
    export.quickstart.closing(output_dir)


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
