"""Notices the commonest way in which a GAN's training fails."""

import keras
from absl import logging

from t2i_tf.callbacks.board import Board

# The tiny preset's discriminators come to 0.85 at most. With BatchNorm and a generator that learns
# thirty times slower, both accuracies stay above 0.98 for intervals on end, and g_loss doubles.
WINS, RECOVERS, PATIENCE = 0.98, 0.95, 3
ADVICE = (
    "the generator learns little from a judge without doubts. Try a lower "
    "train.discriminator_learning_rate, train.generator_steps=2, discriminator.norm=spectral, or, "
    "with few pictures, train.diffaugment"
)


class DiscriminatorWatch(keras.callbacks.Callback):
    """Warns when a discriminator wins, once until it no longer does.

    It wins when it has told real from generated images almost without a mistake for some intervals
    on end. The log and TensorBoard's text tab say so, and `health_discriminators_winning` counts
    the stages.

    Args:
        board: The run's `Board`.
        interval: Steps an epoch.
    """

    def __init__(self, board: Board, interval):
        super().__init__()
        self.board = board
        self.interval = interval
        self._began = {}  # for each stage on a winning streak: its first epoch and `g_loss`
        self._winning = set()

    def on_epoch_end(self, epoch, logs=None):
        stage = 0
        while f"d_real_accuracy_{stage}" in logs:
            self._judge(stage, epoch, logs)
            stage += 1
        logs["health_discriminators_winning"] = len(self._winning)

    def _judge(self, stage, epoch, logs):
        real, fake = (logs[f"d_{kind}_accuracy_{stage}"] for kind in ("real", "fake"))
        loss = logs[f"g_loss_{stage}"]
        if min(real, fake) < WINS:
            self._began.pop(stage, None)
            streak = 0
        else:
            first, loss_then = self._began.setdefault(stage, (epoch, loss))
            streak = epoch - first + 1
        if stage not in self._winning and streak >= PATIENCE:
            self._winning.add(stage)
            self._tell(
                epoch,
                f"the discriminator of stage {stage} wins: since step {first * self.interval} it "
                f"knows {real:.1%} of real and {fake:.1%} of generated images, and g_loss_{stage} "
                f"went from {loss_then:.2f} to {loss:.2f}; {ADVICE}",
            )
        elif stage in self._winning and min(real, fake) < RECOVERS:
            self._winning.remove(stage)
            self._tell(epoch, f"the discriminator of stage {stage} no longer wins")

    def _tell(self, epoch, line):
        step = (epoch + 1) * self.interval
        logging.warning("step %d: %s", step, line)
        self.board.text(step, "health", line)
