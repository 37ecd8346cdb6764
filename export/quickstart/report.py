"""Measures a trained model beside the bundled one and writes a page with pictures and figures."""

import dataclasses
import json
import time
from pathlib import Path

from data_pipeline.support.files import write_text
from data_pipeline.support.progress import Progress
from export.quickstart import figures, sheets
from export.quickstart.generators import SavedGenerator, Untrained
from export.quickstart.page import page
from t2i_tf.metrics.birds import UnseenBirds
from t2i_tf.metrics.faithfulness import load_or_train_reader
from t2i_tf.models import model_directory
from t2i_tf.models.images import save_png

PICTURES = "report"
ENCODERS, WHOLE = ("image_encoder",), ("image_encoder", "generator")


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The models and the data of a report.

    Attributes:
        data_dir: The data set that the run was trained on, of drawn birds.
        damsm: Run of t2i_tf.pretrain_damsm.
        workdir: Run of t2i_tf.train.
        trained: SavedModel of that run.
        bundled: SavedModel of the bundled model.
        bundled_model: The model directory behind it.
        num_captions: How many unseen captions to draw.
    """

    data_dir: str | Path
    damsm: str | Path
    workdir: str | Path
    trained: str | Path
    bundled: str | Path
    bundled_model: str | Path = "bundled:64"
    num_captions: int = 400


def write(inputs: Inputs, output_dir: Path, started: float | None) -> dict:
    """Measures, draws and writes everything.

    Args:
        inputs: The models and the data.
        output_dir: Folder of the page.
        started: Unix time at which the whole work began, for `minutes`; None tells no minutes.

    Returns:
        What report.json holds.

    Raises:
        UserError: An input is missing, or the data is not of drawn birds.
    """
    folder = output_dir / PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    models = {
        "trained": model_directory.load(inputs.workdir, need=WHOLE),
        "bundled": model_directory.load(inputs.bundled_model, need=WHOLE),
    }
    judges = model_directory.load(inputs.damsm, need=ENCODERS), models["bundled"]
    image_size = models["trained"].config.data.image_size
    unseen = UnseenBirds.load(inputs.data_dir, image_size, inputs.num_captions)
    reader = load_or_train_reader(inputs.data_dir, image_size, folder)
    count = figures.drawn_pictures(unseen) + 2 * sheets.drawn_pictures(unseen)
    with Progress(count, "pictures") as progress:
        generators = {name: SavedGenerator(getattr(inputs, name), progress) for name in models}
        untrained = Untrained(models["trained"], progress)
        report = figures.measure(*generators.values(), untrained, judges, unseen, reader)
        for name, generator in generators.items():
            samples = sheets.samples(generator, unseen)
            save_png(folder / f"samples_{name}.png", samples)
            save_png(folder / f"colours_{name}.png", sheets.colour_swaps(generator))
            report[name] |= figures.description(models[name], generators[name].path)
    report |= figures.training({"damsm": inputs.damsm, "gan": inputs.workdir})
    save_png(folder / "losses.png", sheets.loss_plots(report["losses"]))
    report["minutes"] = None if started is None else (time.time() - started) / 60
    write_text(output_dir / "report.md", page(report, PICTURES, inputs.workdir))
    write_text(output_dir / "report.json", json.dumps(report, indent=2) + "\n")
    return report
