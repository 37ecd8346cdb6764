"""Every component against the published code; `python -m tests.parity.table` writes the table."""

from pathlib import Path

import numpy as np
from keras import ops

from tests.parity import compressed, losses, networks, pretraining, training
from tests.parity.fixture import stored_part

CASES = networks.CASES | compressed.CASES | losses.CASES | training.CASES | pretraining.CASES
TABLE = Path(__file__).parents[2] / "docs" / "parity.md"


def measure(name):
    """(largest difference, tolerance) of every quantity of a case."""
    fixture, actual, expected = CASES[name]()
    rows = {}
    for key, value in expected.items():
        quantity, _, part = key.partition("__")
        here = stored_part(ops.convert_to_numpy(actual[quantity]), part)
        assert here.shape == value.shape, key
        difference = float(np.max(np.abs(here - value)))
        so_far, tolerance = rows.get(quantity, (0.0, fixture.tolerance(quantity)))
        rows[quantity] = np.maximum(difference, so_far), tolerance  # NaN stays
    assert rows.keys() == actual.keys()
    return rows


def write_table():
    """Writes docs/parity.md: one line for each component, its worst quantity."""
    lines = [
        "# Equality with the published PyTorch code",
        "",
        "Largest absolute difference of each component from the published code on the same",
        "weights and inputs (float32, CPU), for the quantity that comes nearest to its tolerance:",
        "ten times the published code's own float32 error against float64, but at least 1e-5.",
        "`python -m tests.parity.table` writes this page; the tests check every quantity.",
        "",
        "Running BatchNorm statistics are among the quantities of the training cases. PyTorch",
        "keeps the unbiased variance of a batch, Keras the biased one: the comparison multiplies",
        "by n / (n - 1), n the number of values a channel has in the batch; all else is compared",
        "as it is. Attention is compared with each caption's own mask, which the published code",
        "applies only where all captions of a batch are equally long (or at batch 1).",
        "",
        "Probes of the image encoder are means and standard deviations of eight layers, in units",
        "of the latter. The training steps are AttnGAN's own `train_step` with Keras' Adam, in",
        "float64: what each step logs, the first one's gradients, in units of the largest of their",
        "tensor, and the parameters after the last. The steps of pretraining are DAMSM's, built as",
        "the preset `cub_damsm` says, but for a small convolutional trunk in Inception's place and",
        "no dropout. They cross the end of an epoch, and one bias of each LSTM is trained, since",
        "Keras has no second (docs/published_weights.md says what that changes).",
        "",
        "| component | quantities | nearest to its tolerance | difference | tolerance |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in CASES:
        rows = measure(name)
        worst = max(rows, key=lambda quantity: rows[quantity][0] / rows[quantity][1])
        difference, tolerance = rows[worst]
        lines.append(f"| {name} | {len(rows)} | {worst} | {difference:.1e} | {tolerance:.1e} |")
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_table()
