"""Writes the report of an evaluation: every figure with everything that decides it."""

import dataclasses
import json
from pathlib import Path

from data_pipeline.support.files import write_text
from t2i_tf.metrics import field
from t2i_tf.metrics.figures.interval import Figure
from t2i_tf.models import layout
from t2i_tf.models.images import save_png

PLOT = "steps.png"
DRAWN, REAL, COLOUR_NOISE = "pictures", "real pictures", "colour noise"


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a report.

    Attributes:
        figure: Which figure, a key of `TITLES` or the name of a faithfulness.
        by: The network's scale or the judge's name.
        value: Its value and interval.
        count: Of how many pictures, captions or classes.
        against: What they are compared with.
        of: What was measured, `DRAWN`, `REAL` or `COLOUR_NOISE`.
    """

    figure: str
    by: str
    value: Figure
    count: int
    against: str = ""
    of: str = DRAWN

    def described(self) -> dict:
        """The row as plain values."""
        names = {name: getattr(self, name) for name in ("figure", "by", "of", "count", "against")}
        return {**names, **self.value.described()}


@dataclasses.dataclass(frozen=True)
class Title:
    """How a figure is written.

    Attributes:
        name: Its name.
        form: Format of its value.
        scale: Multiplies value and error.
        better: 1 if more is better, -1 if less is, 0 if neither.
    """

    name: str
    form: str = ".2%"
    scale: float = 1.0
    better: int = 1


TITLES = {
    "inception_score": Title("Inception Score", ".2f"),
    "fid": Title("FID", ".2f", better=-1),
    "kid": Title("KID x 1,000", ".2f", 1000.0, better=-1),
    "precision": Title("Precision"),
    "recall": Title("Recall"),
    "density": Title("Density", ".3f"),
    "coverage": Title("Coverage"),
    "diversity": Title("Difference between seeds", ".3f", better=0),
    "r_precision": Title("R-precision"),
    "similarity": Title("Similarity to the caption, 100 cos", ".2f"),
    "r_precision_permuted": Title("R-precision, colours permuted"),
    **{f"recall_at_{k}_picture": Title(f"Captions: own picture in {k}") for k in (1, 5, 10)},
    **{f"recall_at_{k}_caption": Title(f"Pictures: own caption in {k}") for k in (1, 5, 10)},
}


def title(figure: str) -> Title:
    """How a figure is written; a faithfulness is named after what it reads."""
    return TITLES.get(figure) or Title(figure.capitalize().replace("_", ": "))


def write(report: dict, folder: Path) -> str:
    """Writes `report.json`, `report.md` and a run's plot; returns the Markdown text.

    Each file is written whole or not at all.

    Args:
        report: The result of `protocol.evaluate`, with `of`, the name of what was measured, and
            `steps`, see `Measuring.of_steps`, of a run that kept models.
        folder: The folder to write to.
    """
    written = json.dumps(report, indent=2, default=lambda row: row.described())
    report = json.loads(written)
    text = markdown(report)
    if report.get("steps"):
        save_png(folder / PLOT, layout.line_plots(_lines(report["steps"]), "steps", height=180))
    write_text(folder / "report.json", written + "\n")
    write_text(folder / "report.md", text)
    return text


def markdown(report: dict) -> str:
    """A report as Markdown: a row for each figure, then what the rows refer to.

    Args:
        report: What `report.json` holds.
    """
    rows = _rows(report["figures"])
    return "\n".join(
        [
            f"# {report['of']}",
            "",
            _summary(report["pictures"]),
            "",
            f"| figure | {DRAWN} | ± | {REAL} | {COLOUR_NOISE} | number | against |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
            "Figures compare only with figures of the same mark, resizing, number of pictures and",
            "real set: every network, and every way to resize for it, has a scale of its own.",
            "The column ± is the first value's standard error over captions and seeds, by leaving",
            "out each tenth of the pictures in turn; a ± within a value is the standard deviation",
            "over ten parts, as papers print it. report.json has the errors of all values.",
            "",
            *_notes(report),
            "",
            *_over_steps(report.get("steps")),
            *(field.table(report["real"]["name"]) if report["real"] else ()),
        ]
    )


def _summary(pictures):
    if not pictures.get("count"):
        return f"Encoders, measured on real pictures of {pictures['size']} px."
    drawn = ""
    if "seed" in pictures:
        drawn = (
            f", drawn from test captions with seed {pictures['seed']} "
            f"({pictures['captions_not_read_whole']:,} captions not read whole)"
        )
    return f"{pictures['count']:,} pictures of {pictures['size']} px{drawn}."


def _rows(figures):
    """A row for each figure by each network or judge: of pictures, real pictures and noise."""
    grouped = {}
    for row in figures:
        grouped.setdefault((row["figure"], row["by"]), {})[row["of"]] = row
    for own in grouped.values():
        first = next(iter(own.values()))
        cells = {of: value(row) for of, row in own.items()}
        yield (
            _name(first),
            cells.get(DRAWN, ""),
            error(first),
            cells.get(REAL, ""),
            cells.get(COLOUR_NOISE, ""),
            f"{first['count']:,}",
            first["against"],
        )


def value(row: dict) -> str:
    """A row's value as it is written, with the standard deviation that papers print."""
    own = title(row["figure"])
    written = format(row["value"] * own.scale, own.form)
    if "std" in row:
        written += f" ± {format(row['std'] * own.scale, own.form)}"
    return written


def error(row: dict) -> str:
    """A row's standard error as it is written."""
    own = title(row["figure"])
    return format(row["error"] * own.scale, own.form)


def _over_steps(steps):
    """The kept models' figures: a row for each step."""
    if not steps:
        return
    names = [_name(row) for row in _measured(steps[0])]
    yield "## The models that the run kept"
    yield ""
    yield f"| steps | {' | '.join(names)} |"
    yield "| --- |" + " --- |" * len(names)
    for own in steps:
        cells = {_name(row): f"{value(row)} ({error(row)})" for row in _measured(own)}
        yield f"| {own['step']:,} | {' | '.join(cells.get(name, '') for name in names)} |"
    yield ""
    yield "In brackets: the standard error. All drew the same captions from the same seeds."
    yield ""
    yield f"![The figures over the steps]({PLOT})"
    yield ""


def _lines(steps):
    """What `layout.line_plots` draws: a panel for each figure, a line for each network or judge."""
    panels = {}
    for own in steps:
        for row in _measured(own):
            lines = panels.setdefault(title(row["figure"]).name, {})
            point = own["step"], row["value"] * title(row["figure"]).scale
            lines.setdefault(row["by"], []).append(point)
    return panels


def _measured(own):
    """The rows of what was measured: pictures, or of encoders real pictures."""
    drawn = [row for row in own["figures"] if row["of"] == DRAWN]
    return drawn or [row for row in own["figures"] if row["of"] == REAL]


def _name(row):
    return f"{title(row['figure']).name} [{row['by']}]"


def _notes(report):
    for network in report["networks"]:
        yield (
            f"- [{network['scale']}] {network['name']}, `{network['weights']}` (SHA-256 "
            f"{network['sha256'][:12]}), pictures resized: {network['resize']}."
        )
    for judge in report["judges"]:
        yield (
            f"- [{judge['judge']}] {judge['network']}, `{judge['weights']}` (SHA-256 "
            f"{judge['sha256'][:12]})."
        )
    if reader := report.get("reader"):
        yield (
            "- [reader] Faithfulness: how often a classifier, trained on real pictures of the "
            f"training species at {reader['size']} px, reads from a picture what its caption says."
        )
    if any(row["by"] == "pixels" for row in report["figures"]):
        yield (
            "- Difference between seeds: the standard deviation of [pixels] in [-1, 1], and of a "
            "network's features the mean cosine distance."
        )
    if real := report["real"]:
        yield (
            f"- Real pictures: {real['name']}, {real['count']:,}, {real['crop']} (SHA-256 "
            f"{real['sha256'][:12]})."
        )
