"""The command that `export.web` describes."""

from absl import flags

from data_pipeline.support.errors import run
from export import web

__doc__ = web.__doc__  # for --help


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("model_dir", "bundled", "Model directory, or a run's --workdir.")
    flags.DEFINE_string("output_dir", None, "Folder for the site.", required=True)
    flags.DEFINE_string("litert_dir", "litert", "Where npm has installed LiteRT.js.")
    flags.DEFINE_boolean("overwrite", False, "Whether an earlier site may be replaced.")


def main(_: list[str]) -> None:
    """Exports what the flags name."""
    options = flags.FLAGS
    web.export(options.model_dir, options.output_dir, options.litert_dir, options.overwrite)
    print(f"The site is in {options.output_dir}")
    print(f"To look at it: python -m http.server --directory={options.output_dir}")


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
