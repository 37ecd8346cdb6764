"""The command that `export.app` describes."""

import os
import sys
import tempfile
import warnings

from absl import flags

from data_pipeline.support.errors import UserError, run
from export import app
from export.app import models, words
from export.app.asked import Turns
from export.app.ngrams import NGrams
from t2i_tf.models import captions

__doc__ = app.__doc__  # for --help

RECOGNIZERS = ["sphinx", "google", "whisper", "vosk"]


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_multi_string("model_dir", ["bundled"], "A model; several draw side by side.")
    flags.DEFINE_string("server", None, "Draw by a server, host:port or http://host:port.")
    flags.DEFINE_string("model_name", "birds", "The model's name on the server.")
    flags.DEFINE_string(
        "captions_file",
        None,
        "Captions such as the model learned, one a line: examples, suggestions, and what the "
        "recognizer expects. Captions of drawn birds if left out.",
    )
    flags.DEFINE_enum(
        "recognizer", "sphinx", RECOGNIZERS, "Turns speech to text; google sends it to Google."
    )
    flags.DEFINE_string("host", "127.0.0.1", "Address to listen on; 0.0.0.0 for all.")
    flags.DEFINE_integer("port", 7860, "Port; 0 for a free one.", 0, 65535)
    flags.DEFINE_integer("pictures_per_minute", 600, "The most that a visitor may ask for.", 1)
    flags.DEFINE_boolean("share", False, "Also open a public link, through Gradio's servers.")


def main(arguments: list[str]) -> None:
    """Opens the page and serves it until it is interrupted."""
    if len(arguments) > 1:
        raise UserError(f"unexpected argument {arguments[1]!r}")
    options = flags.FLAGS
    if options.server and options["model_dir"].present:
        raise UserError("give --model_dir or --server, not both")
    with tempfile.TemporaryDirectory(prefix="t2i_app_") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder  # Recordings lie here until they are heard.
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        try:
            from export.app import page, speech, studio
        except ImportError as error:
            raise UserError(
                f"the page needs more packages ({error.name} is missing): "
                "pip install -r requirements-app.txt"
            ) from error
        # The page names unknown words; what visitors type does not belong in the log.
        warnings.filterwarnings("ignore", message=".*left out words")
        drawing = models.load(options.model_dir, options.server, options.model_name)
        examples, expected = _language(drawing, options.captions_file)
        hear = speech.recognizer(options.recognizer, expected)
        turns = Turns(options.pictures_per_minute)
        if options.host not in ("127.0.0.1", "localhost"):
            print(
                f"warning: --host={options.host} lets everyone who reaches this machine draw",
                file=sys.stderr,
            )
        page.serve(
            studio.Studio(drawing, examples, expected, hear, turns),
            *(options.host, options.port, options.share),
        )


def _language(drawing, captions_file):
    """Captions such as the models learned, and which word follows which in them."""
    vocabularies = [model.vocabulary for model in drawing if model.vocabulary]
    if captions_file:
        examples = captions.read_file(captions_file)
    else:
        examples = words.known_captions(words.bird_captions(), vocabularies)
        if not examples:  # It learned of other things than birds; these it met most.
            examples = [" ".join(vocabularies[0].words[1:6])]
    spoken = {word for vocabulary in vocabularies for word in vocabulary.words[1:]}
    return examples, NGrams(examples, spoken)


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
