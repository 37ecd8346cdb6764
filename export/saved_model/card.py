"""The model card that a SavedModel carries in assets.extra."""

from collections.abc import Iterator
from pathlib import Path

from ml_collections import ConfigDict

from data_pipeline.support.errors import UserError
from data_pipeline.support.hashing import file_sha256
from data_pipeline.support.json_text import parse_json
from t2i_tf.metrics import report
from t2i_tf.models import model_directory

PRECISION = {
    "float32": "All weights and arithmetic are float32.",
    "bfloat16": "The generator's weights and arithmetic are bfloat16, with the attention's softmax "
    "and the images in float32; the text encoder is float32. What was measured of the model was "
    "measured in float32.",
}

OPS = {
    "words": "Core TensorFlow ops only: any TensorFlow loads it.",
    "wordpiece": "Captions are read by ops of tensorflow-text. TensorFlow Serving has them built "
    "in, and `python -m export.serve` finds them; a program in Python loads the model after "
    "`import tensorflow_text`.",
}


def served_card(directory: Path, config: ConfigDict, precision: str, tokenizer: str) -> str:
    """Writes the card of an exported model: its own, what it needs, measurements and config.

    Args:
        directory: The model directory, as `model_directory.find` returns it.
        config: Its config.
        precision: A key of `PRECISION`.
        tokenizer: A key of `OPS`.

    Raises:
        UserError: A report of an evaluation beside the model is damaged.
    """
    own = directory / model_directory.CARD
    card = own.read_text(encoding="utf-8").rstrip() if own.is_file() else f"# {config.name}"
    exported = f"## Precision: {precision}\n\n{PRECISION[precision]}"
    ops = f"## Ops\n\n{OPS[tokenizer]}"
    own_config = f"## Config\n\n```json\n{config.to_json(indent=2)}\n```"
    parts = [card, exported, ops, *_measured(directory), own_config]
    return "\n\n".join(parts) + "\n"


def _measured(directory: Path) -> Iterator[str]:
    """Sections of the evaluations of these very weights, in the model directory or its run's."""
    weights = file_sha256(model_directory.weights_file(directory, "generator"))
    run = directory.parent if directory.name == "model" else directory
    for path in sorted([*run.glob("report.json"), *run.glob("*/report.json")]):
        try:
            figures = parse_json(path.read_text(encoding="utf-8"))
            if figures["pictures"].get("generator_sha256") == weights:
                yield report.markdown(figures).replace("# ", "## Measured: ", 1).rstrip()
        except (ValueError, KeyError) as error:
            raise UserError(
                f"{path} is no report of t2i_tf.evaluate ({error}): measure anew or remove it"
            ) from error
