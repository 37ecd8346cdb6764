"""The report's figures: the trained and the bundled model between their floors and the ceiling."""

import dataclasses
import json
import statistics
from pathlib import Path

import numpy as np

from data_pipeline.drawn.birds import PARTS
from data_pipeline.support.errors import UserError
from export.quickstart.generators import SavedGenerator, Untrained
from t2i_tf.metrics import faithfulness
from t2i_tf.metrics.birds import BirdJudge, UnseenBirds, evaluate_pictures
from t2i_tf.metrics.figures.diversity import pixel_spreads
from t2i_tf.metrics.r_precision import wrong_captions
from t2i_tf.metrics.streams import REPEATED_CAPTIONS as SEED_CAPTIONS
from t2i_tf.metrics.streams import REPEATS as SEEDS
from t2i_tf.models.model_directory import NETWORKS, ModelDirectory
from t2i_tf.networks import build

MATCH_FIGURES = (
    "r_precision",
    "r_precision_permuted",
    "r_precision_independent",
    "r_precision_permuted_independent",
    "faithfulness",
    *(f"faithfulness_{part}" for part in PARTS),
)


def drawn_pictures(unseen: UnseenBirds) -> int:
    """Counts the pictures that `measure` draws in all, for the progress bar."""
    return 3 * (len(unseen) + min(SEED_CAPTIONS, len(unseen)) * SEEDS)


def measure(
    trained: SavedGenerator,
    bundled: SavedGenerator,
    untrained: Untrained,
    encoders: tuple[ModelDirectory, ModelDirectory],
    unseen: UnseenBirds,
    reader: faithfulness.Reader,
) -> dict:
    """Measures both generators, the floors and the ceiling.

    Each generator is judged by the encoders that trained it (`r_precision`) and by the other's
    (`..._independent`); floors and ceiling by those of the run, then by the bundled ones.

    Args:
        trained: The generator just trained.
        bundled: The one that comes with the package.
        untrained: An `Untrained`.
        encoders: The models, with image encoders, that trained the first and the second.
        unseen: The captions and real pictures.
        reader: Reads what the birds look like.

    Returns:
        `trained`, `bundled`, `floor` and `ceiling` by figure name, and `judged`, how much was
        judged. `floor` has the higher of its two floors `colour_noise` and `untrained`, which
        stand in it whole beside `chance`.
    """
    own, other = (BirdJudge(model, unseen) for model in encoders)

    def figures(pictures, judge=own, independent=other):
        return evaluate_pictures(pictures, unseen, judge, reader, independent)

    def generated(generator, *judges):
        count = min(SEED_CAPTIONS, len(unseen))
        pictures = generator.generate(unseen.captions, np.arange(len(unseen)))
        repeated = [caption for caption in unseen.captions[:count] for _ in range(SEEDS)]
        several = generator.generate(repeated, np.tile(np.arange(SEEDS), count))
        several = several.reshape(count, SEEDS, *several.shape[1:])
        return {**figures(pictures, *judges), "seed_std": float(pixel_spreads(several).mean())}

    wrong = wrong_captions(unseen.class_ids)
    permuted = own.permuted_details(unseen.pictures)
    species = len(np.unique(unseen.class_ids))
    untrained = generated(untrained) | _untrained_recall(encoders[0], unseen)
    noise = figures(unseen.colour_noise)
    by_chance = {
        "r_precision": 1.0 / (1.0 + wrong),
        "r_precision_permuted": permuted["chance"],
    }
    chance = {
        **by_chance,
        **{f"{name}_independent": value for name, value in by_chance.items()},
        **{name: faithfulness.CHANCE for name in MATCH_FIGURES if "faithfulness" in name},
        **{f"recall_at_{k}": min(1.0, k / species) for k in (1, 5)},
    }
    floor = untrained | {name: max(noise[name], untrained[name]) for name in MATCH_FIGURES}
    ceiling = figures(unseen.pictures)
    groups = unseen.of_species(SEEDS)
    if groups:
        ceiling["seed_std"] = float(pixel_spreads(groups).mean())
    return {
        "trained": generated(trained) | own.recall(unseen.pictures),
        "bundled": generated(bundled, other, own) | other.recall(unseen.pictures),
        "floor": {**floor, "colour_noise": noise, "untrained": untrained, "chance": chance},
        "ceiling": ceiling,
        "judged": {
            "captions": len(unseen),
            "species": species,
            "wrong_captions": wrong,
            "permuted_captions": permuted["captions"],
            "permuted_wrong_captions": permuted["wrong_captions"],
            "seeds": SEEDS,
        },
    }


def training(runs: dict[str, str | Path]) -> dict:
    """Reads how training went: `losses` over time and median `seconds_per_step` of each run.

    Args:
        runs: Work or model directory of each run by name.

    Raises:
        UserError: A run has no `metrics.jsonl`.
    """
    losses, seconds = {}, {}
    for name, directory in runs.items():
        path = Path(directory) / "metrics.jsonl"
        if Path(directory).name == "model":
            path = Path(directory).parent / path.name
        if not path.is_file():
            raise UserError(f"{path} is missing: {directory} is no run of the {name}")
        entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        losses[name] = entries
        # The first interval holds the compilation.
        steady = [entry["seconds_per_step"] for entry in entries[1:] or entries]
        seconds[name] = statistics.median(steady)
    return {"losses": losses, "seconds_per_step": seconds}


def description(model: ModelDirectory, saved_model: Path) -> dict:
    """Describes a model: its config's name and steps, its networks' and its files' sizes."""
    networks = {name: getattr(model, name) for name in NETWORKS}
    files = (path for path in saved_model.rglob("*") if path.is_file())
    return {
        "config": model.config.name,
        "steps": model.config.train.steps,
        "batch_size": model.config.train.batch_size,
        "parameters": {name: network.count_params() for name, network in networks.items()},
        "saved_model_bytes": sum(path.stat().st_size for path in files),
    }


def _untrained_recall(model, unseen):
    """Recall of encoders with random weights."""
    random = dataclasses.replace(
        model,
        text_encoder=build.text_encoder(model.config, len(model.vocabulary)),
        image_encoder=build.image_encoder(model.config, pretrained=False),
    )
    return BirdJudge(random, unseen).recall(unseen.pictures)
