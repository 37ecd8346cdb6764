"""Keeps models of earlier steps: every few checkpoints, and the best by a figure."""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

from data_pipeline.support.files import write_text

SNAPSHOTS, BEST, BEST_FILE = "snapshots", "best", "best.json"


@dataclasses.dataclass(frozen=True)
class Best:
    """The figure that decides which model is the best.

    Attributes:
        figure: Its name in `metrics.jsonl`.
        lower: Whether less is better.
    """

    figure: str
    lower: bool


class Snapshots:
    """Keeps model directories of earlier steps in a run's folder.

    `snapshots/step_<step>` are those of every few checkpoints, `best` is the best so far, and
    `best.json` says at which step, by which figure. A resumed run goes on from what is there.

    Args:
        workdir: The run's folder.
        write: Writes the model after a step to a directory, whole or not at all.
        every: Checkpoints between two that are kept; 0 keeps none.
        best: What decides the best; None keeps none.
        interval: Steps between two checkpoints.
    """

    def __init__(
        self,
        workdir: Path,
        write: Callable[[Path, int], None],
        interval: int,
        every: int = 0,
        best: Best | None = None,
    ):
        self.workdir = workdir
        self.write = write
        self.steps = every * interval
        self.best = best
        self._figures = {}

    def note(self, step: int, figures: Mapping[str, float]) -> dict[str, float]:
        """Remembers the figures of the interval that ends with `step`; adds none."""
        self._figures = {"step": step, **figures}
        return {}

    def keep(self, step: int) -> None:
        """Keeps the model after `step` steps, if it is one to keep."""
        if self.steps and step % self.steps == 0:
            folder = self.workdir / SNAPSHOTS
            folder.mkdir(exist_ok=True)
            self.write(folder / f"step_{step:07d}", step)
        if self.best and self._figures.get("step") == step and self.best.figure in self._figures:
            self._keep_best(step, self._figures[self.best.figure])

    def _keep_best(self, step, value):
        path = self.workdir / BEST_FILE
        before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        if not math.isfinite(value):
            return
        if before and before["figure"] == self.best.figure:
            better = value < before["value"] if self.best.lower else value > before["value"]
            if not better:
                return
        self.write(self.workdir / BEST, step)
        best = {"figure": self.best.figure, "value": value, "step": step}
        write_text(path, json.dumps(best, indent=2) + "\n")


def kept(workdir: str | Path) -> dict[int, Path]:
    """The models that a run kept, the best one too, by their steps, the earliest first."""
    workdir = Path(workdir)
    found = {
        int(path.name.removeprefix("step_")): path for path in workdir.glob(f"{SNAPSHOTS}/step_*")
    }
    best = workdir / BEST_FILE
    if best.is_file():
        found.setdefault(json.loads(best.read_text(encoding="utf-8"))["step"], workdir / BEST)
    return dict(sorted(found.items()))
