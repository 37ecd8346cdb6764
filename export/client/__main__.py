"""The command that `export.client` describes."""

from pathlib import Path

from absl import flags

from data_pipeline.support.errors import UserError, run
from data_pipeline.support.progress import Progress
from export import client
from export.client.transports import connect
from t2i_tf.models import captions

__doc__ = client.__doc__  # for --help


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("server", None, "host:port (gRPC) or http://host:port.", required=True)
    flags.DEFINE_enum("protocol", None, ["grpc", "rest"], "If --server does not tell.")
    flags.DEFINE_string("model_name", "birds", "The model's name; export.serve prints it.")
    flags.DEFINE_multi_string("text", [], "A caption; may be given several times.")
    flags.DEFINE_string("captions_file", None, "UTF-8 text file of one caption a line.")
    flags.DEFINE_integer("num_images", 1, "Pictures of each caption.", 1)
    flags.DEFINE_integer("seed", 0, "Seed of each caption's first picture.", 0, 2**62)
    flags.DEFINE_float("timeout_s", 60.0, "Seconds that a picture may take.", 0.001)
    flags.DEFINE_string("output_dir", None, "Folder for the pictures.", required=True)


def main(_: list[str]) -> None:
    """Draws what the flags ask for."""
    options = flags.FLAGS
    texts = list(options.text)
    if options.captions_file:
        texts += captions.read_file(options.captions_file)
    if not texts:
        raise UserError('nothing to draw: give --text="..." or --captions_file=')
    ask = connect(options.server, options.protocol, options.model_name)
    paths = client.draw(
        ask, texts, Path(options.output_dir), options.num_images, options.seed, options.timeout_s
    )
    with Progress(len(texts) * options.num_images, "pictures") as progress:
        for path in paths:
            print(path)
            if progress.total > 1:
                progress.update()


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
