"""The command that `export.tflite` describes."""

from absl import flags

from data_pipeline.support.errors import run
from export import tflite
from export.tflite.measuring import table

__doc__ = tflite.__doc__  # for --help


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("model_dir", "bundled", "Model directory, or a run's --workdir.")
    flags.DEFINE_string("output_dir", None, "Folder for the files.", required=True)
    flags.DEFINE_list("quantize", list(tflite.VARIANTS), "Which files to write.")
    flags.DEFINE_boolean("overwrite", False, "Whether an earlier export may be replaced.")
    flags.DEFINE_string("captions_file", None, "Captions like the app's; default: of birds.")


def main(_: list[str]) -> None:
    """Exports what the flags name."""
    options = flags.FLAGS
    rows = tflite.export(
        options.model_dir,
        options.output_dir,
        options.quantize,
        options.overwrite,
        options.captions_file,
    )
    print(table(rows))
    print(f"The files are in {options.output_dir}")


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
