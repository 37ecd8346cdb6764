"""The model card that a SavedModel carries in assets.extra."""

import json
from collections.abc import Iterator
from pathlib import Path

from ml_collections import ConfigDict

from data_pipeline.support.errors import UserError
from data_pipeline.support.hashing import file_sha256
from t2i_tf.metrics import report
from t2i_tf.models import model_directory


def served_card(directory: Path, config: ConfigDict) -> str:
    """Writes the card of an exported model: its own, its measurements and its config.

    Args:
        directory: The model directory, as `model_directory.find` returns it.
        config: Its config.

    Raises:
        UserError: A report of an evaluation beside the model is damaged.
    """
    own = directory / model_directory.CARD
    card = own.read_text(encoding="utf-8").rstrip() if own.is_file() else f"# {config.name}"
    parts = [card, *_measured(directory), "## Config", f"```json\n{config.to_json(indent=2)}\n```"]
    return "\n\n".join(parts) + "\n"


def _measured(directory: Path) -> Iterator[str]:
    """Sections of the evaluations of these very weights, in the model directory or its run's."""
    weights = file_sha256(model_directory.weights_file(directory, "generator"))
    run = directory.parent if directory.name == "model" else directory
    for path in sorted([*run.glob("report.json"), *run.glob("*/report.json")]):
        try:
            figures = json.loads(path.read_text(encoding="utf-8"))
            if figures["pictures"].get("generator_sha256") == weights:
                yield report.markdown(figures).replace("# ", "## Measured: ", 1).rstrip()
        except (ValueError, KeyError) as error:
            raise UserError(
                f"{path} is no report of t2i_tf.evaluate ({error}): measure anew or remove it"
            ) from error
