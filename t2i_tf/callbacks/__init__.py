"""What a run leaves behind and shows while it trains; nothing here changes what is trained."""

from t2i_tf.callbacks.board import Board
from t2i_tf.callbacks.examples import Examples
from t2i_tf.callbacks.health import DiscriminatorWatch
from t2i_tf.callbacks.metrics import MetricsWriter, Profile, TrainingProgress, WithScores
from t2i_tf.callbacks.pictures import SampleGrid, WordRegions
from t2i_tf.callbacks.projector import Projector
from t2i_tf.callbacks.safety import SaveCheckpoint, StopOnSignal, StopWhenNotFinite

__all__ = [
    "Board",
    "DiscriminatorWatch",
    "Examples",
    "MetricsWriter",
    "Profile",
    "Projector",
    "SampleGrid",
    "SaveCheckpoint",
    "StopOnSignal",
    "StopWhenNotFinite",
    "TrainingProgress",
    "WithScores",
    "WordRegions",
]
