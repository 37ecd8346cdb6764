"""Notices failures of a GAN's training: figures that are not finite, a discriminator that wins."""

import math
from collections.abc import Mapping
from pathlib import Path

from absl import logging

from data_pipeline.support.errors import UserError
from t2i_tf.training.callbacks.base import FigureCallback
from t2i_tf.training.callbacks.board import Board

NAMED = 3  # figures that a message names
# The tiny preset's discriminators reach 0.85 at most. With BatchNorm and a generator that learns
# thirty times slower, both accuracies stay above 0.98 for many intervals, and g_loss doubles.
WINS, RECOVERS, PATIENCE = 0.98, 0.95, 3
ADVICE = (
    "the generator learns little from a discriminator that is never in doubt. Try a lower "
    "train.discriminator_learning_rate, loss.generator_steps=2, discriminator.norm=spectral, or, "
    "with few pictures, loss.diffaugment"
)


class StopWhenNotFinite(FigureCallback):
    """Stops the run soon after the first step after which a figure is NaN or infinite.

    A NaN stays in an interval's means, so none is missed between two looks at the figures.

    Args:
        start: Steps that the run had done before.
        workdir: The run's folder, for the message.
    """

    def __init__(self, start: int, workdir: str | Path):
        super().__init__(start)
        self.workdir = Path(workdir)
        self.saved = start

    def on_train_batch_end(self, batch, logs=None):
        before = self.step
        super().on_train_batch_end(batch, logs)
        self._check(logs, before + 1)

    def check(self, step: int, figures: Mapping[str, float]) -> dict[str, float]:
        """Checks an interval's figures at its end, since some, such as norms, are only known then.

        Raises:
            UserError: A figure is not finite.
        """
        self._check(figures, step)
        self.saved = step
        return {}

    def _check(self, figures, first):
        wrong = [name for name, value in figures.items() if not math.isfinite(value)]
        if not wrong:
            return
        wrong.sort(key=lambda name: "loss" not in name)
        names = ", ".join(f"{name} became {figures[name]}" for name in wrong[:NAMED])
        if len(wrong) > NAMED:
            names += f" (and {len(wrong) - NAMED} more)"
        steps = f"step {self.step}" if first == self.step else f"steps {first} to {self.step}"
        left = (
            f"the checkpoint of step {self.saved} is kept"
            if self.saved
            else "no checkpoint was saved yet"
        )
        raise UserError(
            f"{self.workdir}: {names} at {steps}; {left}. The same command would fail at the same "
            "step: lower the learning rates, or train in float32 if it was not (BUILD.md, 'When a "
            "run goes wrong')"
        )


class DiscriminatorWatch:
    """Warns once when a discriminator wins, and again only after it had stopped winning.

    A discriminator wins when it has told real from generated images almost without a mistake for
    several intervals in a row. The log and TensorBoard's text tab say so, and
    `health_discriminators_winning` counts the stages.

    Args:
        board: The run's `Board`.
        start: Steps that the run had done before.
    """

    def __init__(self, board: Board, start: int = 0):
        self.board = board
        self._before = start
        self._streaks = {}  # by stage: intervals so far, the step before them, and their first loss
        self._winning = set()

    def check(self, step: int, figures: Mapping[str, float]) -> dict[str, float]:
        """Looks at every stage's accuracies; returns how many discriminators win."""
        stage = 0
        while f"d_real_accuracy_{stage}" in figures:
            self._check_stage(stage, step, figures)
            stage += 1
        self._before = step
        if not stage:  # DAMSM has no discriminator.
            return {}
        return {"health_discriminators_winning": float(len(self._winning))}

    def _check_stage(self, stage, step, figures):
        real, fake = (figures[f"d_{kind}_accuracy_{stage}"] for kind in ("real", "fake"))
        loss = figures[f"g_loss_{stage}"]
        if min(real, fake) < WINS:
            self._streaks.pop(stage, None)
        else:
            intervals, since, first_loss = self._streaks.get(stage, (0, self._before, loss))
            self._streaks[stage] = (intervals + 1, since, first_loss)
        intervals, since, first_loss = self._streaks.get(stage, (0, 0, 0.0))
        if stage not in self._winning and intervals >= PATIENCE:
            self._winning.add(stage)
            self._tell(
                step,
                f"the discriminator of stage {stage} wins: since step {since} it "
                f"knows {real:.1%} of real and {fake:.1%} of generated images, and g_loss_{stage} "
                f"went from {first_loss:.2f} to {loss:.2f}; {ADVICE}",
            )
        elif stage in self._winning and min(real, fake) < RECOVERS:
            self._winning.remove(stage)
            self._tell(step, f"the discriminator of stage {stage} no longer wins")

    def _tell(self, step, line):
        logging.warning("step %d: %s", step, line)
        self.board.text(step, "health", line)
