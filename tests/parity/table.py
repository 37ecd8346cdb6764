"""Every component against the published code; `python -m tests.parity.table` writes the table."""

from pathlib import Path

import numpy as np
from keras import ops

from tests.parity import compressed, formulas, losses, networks, pretraining, training
from tests.parity.fixture import stored_part

PUBLISHED = networks.CASES | compressed.CASES | losses.CASES | training.CASES | pretraining.CASES
CASES = PUBLISHED | formulas.CASES
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
        *table(PUBLISHED),
        "",
        "## Where no code is published",
        "",
        "The paper's DualAttn-GAN has no published code, the generator without attention is",
        "StackGAN-v2's with AttnGAN's widths, and spectral norm is an option. These components",
        "are compared with a second form in plain PyTorch, written from the papers' formulas",
        "(`tests/parity/plain_torch.py`); spectral norm is `torch.nn.utils.spectral_norm` there.",
        "That finds slips of the pen, but no misreading of a paper that both forms share. All",
        "weights are random, also those that training starts at 0 or 1.",
        "",
        "Gradients are those of a weighted sum of the outputs, with respect to every weight (and",
        "the input, of layers), in units of the largest of their tensor. The generators in",
        "training are compared in float64, since ReLU6 and maxima have corners. The training",
        "steps here are plain gradient descent: compared are each step's outputs, and kernels and",
        "the vectors u of the power iteration after it.",
        "",
        "In inference PyTorch divides by the last training call's estimate of the singular value;",
        "here, one more step of the iteration is taken and not kept. Both are equal once u stands",
        "still: the row *spectral norm, inference* compares with PyTorch's inference then, and",
        "with the definition by `torch.linalg.svdvals`. Discriminators, the only networks with",
        "spectral norm, only ever train.",
        "",
        *table(formulas.CASES),
    ]
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def table(cases):
    """The lines of a table with one line for each case."""
    lines = [
        "| component | quantities | nearest to its tolerance | difference | tolerance |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in cases:
        rows = measure(name)
        worst = max(rows, key=lambda quantity: rows[quantity][0] / rows[quantity][1])
        difference, tolerance = rows[worst]
        lines.append(f"| {name} | {len(rows)} | {worst} | {difference:.1e} | {tolerance:.1e} |")
    return lines


if __name__ == "__main__":
    write_table()
