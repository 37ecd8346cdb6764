"""The command that `export.saved_model` describes."""

import tensorflow as tf
from absl import flags

from data_pipeline.support.errors import run
from export import saved_model

__doc__ = saved_model.__doc__  # for --help


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("model_dir", "bundled", "Model directory, or a run's --workdir.")
    flags.DEFINE_string("output_dir", None, "Folder of all the versions.", required=True)
    flags.DEFINE_integer("version", None, "Default: one more than the largest.", lower_bound=1)
    flags.DEFINE_integer(
        "max_words", None, "Words read of a caption; the model's own number if left out.", 1
    )
    flags.DEFINE_enum(
        "precision",
        saved_model.PRECISIONS[0],
        saved_model.PRECISIONS,
        "The generator's arithmetic and weights.",
    )
    flags.DEFINE_boolean("overwrite", False, "Whether an existing version may be replaced.")


def main(_: list[str]) -> None:
    """Exports what the flags name."""
    tf.get_logger().setLevel("WARNING")
    options = flags.FLAGS
    path = saved_model.export(
        options.model_dir,
        options.output_dir,
        options.version,
        options.overwrite,
        options.max_words,
        options.precision,
    )
    print(f"The SavedModel is in {path}")


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
