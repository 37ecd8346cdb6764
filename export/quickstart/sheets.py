"""Draws the report's sheets: samples with attention, colours exchanged, and the losses."""

import itertools
import math

import numpy as np
from PIL import Image

from export.quickstart.generators import SavedGenerator
from t2i_tf.metrics.birds import UnseenBirds
from t2i_tf.models import layout

SAMPLE_CAPTIONS, SAMPLE_SEEDS = 8, 5
SWAP_CAPTION = "a small bird with a {crown} crown, a {belly} belly and {wing} wings"
SWAP_COLOURS = {"crown": "red", "belly": "white", "wing": "black"}
SWAP_CHOICES = ("red", "yellow", "green", "blue", "black", "white")
SWAP_SEED = 0
# Sums of the other losses, and figures that are no losses.
UNPLOTTED = ("step", "loss", "g_loss", "learning_rate", "seconds_per_step", "images_per_second")


def drawn_pictures(unseen: UnseenBirds) -> int:
    """How many pictures `samples` and `colour_swaps` draw, for the progress bar."""
    swaps = math.factorial(len(SWAP_COLOURS)) + len(SWAP_COLOURS) * len(SWAP_CHOICES)
    return len(_sample_rows(unseen)) * SAMPLE_SEEDS + swaps


def samples(generator: SavedGenerator, unseen: UnseenBirds) -> Image.Image:
    """Shows captions x seeds with a real picture each, and the first seed's attention maps."""
    rows = _sample_rows(unseen)
    captions = [unseen.captions[row] for row in rows]
    repeated = [caption for caption in captions for _ in range(SAMPLE_SEEDS)]
    drawn = list(generator.explain(repeated, np.tile(np.arange(SAMPLE_SEEDS), len(captions))))
    pictures = np.stack([picture for picture, _, _ in drawn])
    first = drawn[::SAMPLE_SEEDS]
    return layout.samples_sheet(
        captions,
        pictures.reshape(len(captions), SAMPLE_SEEDS, *pictures.shape[1:]),
        unseen.pictures[rows],
        [attention for _, attention, _ in first],
        [words for _, _, words in first],
    )


def colour_swaps(generator: SavedGenerator) -> Image.Image:
    """Shows one caption with its three colours exchanged, then with each part's colour replaced."""
    rows = [(f"the same three colours in every order: {SWAP_CAPTION.format(**SWAP_COLOURS)}", [])]
    for order in itertools.permutations(SWAP_COLOURS.values()):
        rows[0][1].append(dict(zip(SWAP_COLOURS, order, strict=True)))
    for part in SWAP_COLOURS:
        caption = SWAP_CAPTION.format(**{**SWAP_COLOURS, part: "..."})
        rows.append((caption, [{**SWAP_COLOURS, part: colour} for colour in SWAP_CHOICES]))
    birds = [bird for _, row in rows for bird in row]
    captions = [SWAP_CAPTION.format(**bird) for bird in birds]
    pictures = iter(generator.generate(captions, np.full(len(captions), SWAP_SEED)))
    return layout.labelled_rows(
        [(title, [(_label(bird), next(pictures)) for bird in row]) for title, row in rows]
    )


def loss_plots(losses: dict[str, list[dict[str, float]]]) -> Image.Image:
    """Plots the losses of each run over its steps; runs without any are left out."""
    titles = {"damsm": "DAMSM: matching losses", "gan": "GAN: losses of D and G"}
    panels = {}
    for run, entries in losses.items():
        if entries:
            names = [name for name in entries[0] if name not in UNPLOTTED]
            panels[titles[run]] = {
                name: [(entry["step"], entry[name]) for entry in entries] for name in names
            }
    return layout.line_plots(panels, "steps")


def _sample_rows(unseen):
    """The first birds of different species."""
    _, rows = np.unique(unseen.class_ids, return_index=True)
    return np.sort(rows)[:SAMPLE_CAPTIONS]


def _label(bird):
    return " / ".join(bird[part] for part in SWAP_COLOURS)
