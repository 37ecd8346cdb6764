"""Writes a model directory to give away: the same networks in half the bytes.

    python -m t2i_tf.publish --model_dir=runs/birds --output_dir=models/birds

The weights are rounded to float16, which every command reads as it reads float32. Measure the
published model, not the one that it was made of: its pictures differ by up to a few levels.
"""

from pathlib import Path

from absl import flags

from data_pipeline.support.errors import UserError, run
from t2i_tf.models import model_directory


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("model_dir", None, "Model directory, or a run's --workdir.", required=True)
    flags.DEFINE_string("output_dir", None, "Model directory to write.", required=True)


def main(_: list[str]) -> None:
    """Writes the model directory that the flags ask for."""
    options = flags.FLAGS
    target = Path(options.output_dir)
    if target.exists():
        raise UserError(f"--output_dir={target} exists: remove it, or name another directory")
    source = model_directory.find(options.model_dir)
    need = [name for name in model_directory.NETWORKS[1:] if _has(source, name)]
    model = model_directory.load(source, need=tuple(need))
    card = source / model_directory.CARD
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    model_directory.save(target, model, text, half_precision=True)
    size = sum(path.stat().st_size for path in target.iterdir())
    print(f"{target}: {', '.join(['text_encoder', *need])}, {size / 1e6:.1f} MB")


def _has(directory, network):
    return model_directory.weights_file(directory, network).is_file()


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
