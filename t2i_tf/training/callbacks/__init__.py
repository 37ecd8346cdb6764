"""Callbacks that write and show a run while it trains; none of them changes what is trained."""

from t2i_tf.training.callbacks.base import Watcher
from t2i_tf.training.callbacks.board import Board
from t2i_tf.training.callbacks.examples import Examples
from t2i_tf.training.callbacks.health import DiscriminatorWatch, StopWhenNotFinite
from t2i_tf.training.callbacks.interval import IntervalEnd
from t2i_tf.training.callbacks.metrics import (
    MetricsWriter,
    Profile,
    ScoreWatcher,
    TrainingProgress,
)
from t2i_tf.training.callbacks.pictures import SampleGrid, WordRegions
from t2i_tf.training.callbacks.projector import Projector
from t2i_tf.training.callbacks.safety import StopOnSignal
from t2i_tf.training.callbacks.snapshots import Best, Snapshots

__all__ = [
    "Best",
    "Board",
    "DiscriminatorWatch",
    "Examples",
    "IntervalEnd",
    "MetricsWriter",
    "Profile",
    "Projector",
    "SampleGrid",
    "ScoreWatcher",
    "Snapshots",
    "StopOnSignal",
    "StopWhenNotFinite",
    "TrainingProgress",
    "Watcher",
    "WordRegions",
]
