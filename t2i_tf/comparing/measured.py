"""Several models measured alike: the same captions, seeds, networks and judge."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_pipeline.support.errors import UserError
from t2i_tf.comparing.pairs import Difference, paired
from t2i_tf.metrics.measuring import Measuring
from t2i_tf.metrics.real import Judge
from t2i_tf.metrics.report import DRAWN, Row, title
from t2i_tf.models import model_directory


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two models' figures.

    Attributes:
        first: The row of one model.
        second: That of another.
        names: Their names.
        difference: The first minus the second.
    """

    first: Row
    second: Row
    names: tuple[str, str]
    difference: Difference

    @property
    def better(self) -> str | None:
        """The model that is better at the 5 % level, None where none is or nothing is better."""
        direction = title(self.first.figure).better * self.difference.value
        if self.difference.p >= 0.05 or direction == 0.0:
            return None
        return self.names[0] if direction > 0.0 else self.names[1]

    def described(self) -> dict:
        """The pair as plain values."""
        low, high = self.difference.interval
        own = {"difference": self.difference.value, "low": low, "high": high}
        return {
            "figure": self.first.figure,
            "by": self.first.by,
            "models": list(self.names),
            **own,
            "p": self.difference.p,
            "better": self.better,
        }


def check(models: Sequence[str]) -> list[str]:
    """Checks that models can be compared; returns a sentence for each that reads other words.

    Raises:
        UserError: There are fewer than two models, one twice, one without a generator, or models
            of different sizes.
    """
    if len(models) < 2:
        raise UserError("--models= names the models to compare, at least two, with commas between")
    if len(set(models)) < len(models):
        raise UserError(f"--models={','.join(models)} names a model twice")
    sizes, vocabularies = {}, {}
    for model in models:
        config, vocabularies[model] = model_directory.describe(
            model_directory.find(model), need=("generator",)
        )
        sizes.setdefault(config.data.image_size, model)
    if len(sizes) > 1:
        named = ", ".join(f"{model} {size} px" for size, model in sizes.items())
        raise UserError(f"the models draw pictures of different sizes: {named}")
    first = models[0]
    return [
        f"The vocabulary of {model} is not that of {first}: each model reads the words it knows."
        for model, vocabulary in vocabularies.items()
        if vocabulary.sha256 != vocabularies[first].sha256
    ]


def measure(
    models: Sequence[str], measuring: Measuring, judge: Judge, folder: Path
) -> dict[str, dict]:
    """The report of each model, see `Measuring.of_model`; one DAMSM judges all of them.

    Raises:
        UserError: See `Measuring.of_model`.
    """
    return {model: measuring.of_model(model, folder, own=judge) for model in models}


def pairs(reports: dict[str, dict]) -> Iterator[Pair]:
    """Every figure of every two models."""
    drawn = {
        name: {(row.figure, row.by): row for row in report["figures"] if row.of == DRAWN}
        for name, report in reports.items()
    }
    for names in itertools.combinations(drawn, 2):
        first, second = (drawn[name] for name in names)
        for key, row in first.items():
            if key in second and title(row.figure).better:
                other = second[key]
                yield Pair(row, other, names, paired(row.value, other.value))
