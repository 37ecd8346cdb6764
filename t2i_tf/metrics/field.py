"""The figures that papers published on the same data, beside a report's own."""

import json
from collections.abc import Iterator
from pathlib import Path

FIGURES = json.loads(Path(__file__).with_name("published.json").read_text(encoding="utf-8"))
# The network behind the published Inception Score of each data set, by its scale here.
SCALES = {"cub": "slim", "coco": "2015"}


def table(real_name: str) -> Iterator[str]:
    """Lines of Markdown with the published figures; none for data that no paper measured.

    Args:
        real_name: Name of the real set, such as `cub-test`; data sets are told by their name.
    """
    dataset = next((name for name in FIGURES if real_name.lower().startswith(name)), None)
    if dataset is None:
        return
    yield "## Published figures"
    yield ""
    score = f"Inception Score [{SCALES[dataset]}]"
    yield f"| model | {score} | FID [torchvision] | R-precision, % | source |"
    yield "| --- | --- | --- | --- | --- |"
    for row in FIGURES[dataset]:
        names = ("model", "inception_score", "fid_torchvision", "r_precision", "source")
        yield f"| {' | '.join(row.get(name, '') for name in names)} |"
    yield ""
    yield (
        "Compare figures of the same mark and number of pictures (papers: about 30,000) only; "
        "R-precision is judged by each model's own DAMSM."
    )
    yield ""
