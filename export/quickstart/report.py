"""Measures a trained model beside the bundled one and writes a page with pictures and figures.

    python -m export.report --data_dir=quickstart/data --damsm=quickstart/damsm \
        --workdir=quickstart/gan --trained=quickstart/saved_model \
        --bundled=quickstart/saved_model_bundled --output_dir=quickstart

Both SavedModels are loaded afresh and draw birds of species that the trained one has never seen.
The page is report.md in --output_dir, the figures also report.json, the pictures lie in report/.
The data must be that of --source=synthetic, whose true colours are known.
"""

import json
import time
from pathlib import Path

from absl import flags

from data_pipeline.support.errors import run
from data_pipeline.support.files import write_text
from data_pipeline.support.progress import Progress
from export.quickstart import figures as report_figures
from export.quickstart import page as report_page
from export.quickstart import pictures as report_pictures
from export.quickstart.evaluation import UnseenBirds
from t2i_tf.metrics.faithfulness import load_or_train_classifier
from t2i_tf.models import model_directory
from t2i_tf.models.images import save_png

PICTURES = "report"
ENCODERS, WHOLE = ("image_encoder",), ("image_encoder", "generator")


def write(options, output_dir: Path, started: float | None) -> dict:
    """Measures, draws and writes everything.

    Args:
        options: What the flags below hold.
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
        "trained": model_directory.load(options.workdir, need=WHOLE),
        "bundled": model_directory.load(options.bundled_model, need=WHOLE),
    }
    judges = model_directory.load(options.damsm, need=ENCODERS), models["bundled"]
    image_size = models["trained"].config.data.image_size
    unseen = UnseenBirds.load(options.data_dir, image_size, options.num_captions)
    classifier = load_or_train_classifier(options.data_dir, image_size, folder)
    sheets = 2 * report_pictures.drawn_pictures(unseen)
    with Progress(report_figures.drawn_pictures(unseen) + sheets, "pictures") as progress:
        generators = {
            name: report_figures.SavedGenerator(getattr(options, name), progress) for name in models
        }
        untrained = report_figures.Untrained(models["trained"], progress)
        report = report_figures.measure(*generators.values(), untrained, judges, unseen, classifier)
        for name, generator in generators.items():
            samples = report_pictures.samples(generator, unseen)
            save_png(folder / f"samples_{name}.png", samples)
            save_png(folder / f"colours_{name}.png", report_pictures.colour_swaps(generator))
            report[name] |= report_figures.description(models[name], generators[name].path)
    report |= report_figures.training({"damsm": options.damsm, "gan": options.workdir})
    save_png(folder / "losses.png", report_pictures.loss_plots(report["losses"]))
    report["minutes"] = None if started is None else (time.time() - started) / 60
    write_text(output_dir / "report.md", report_page.page(report, PICTURES, options.workdir))
    write_text(output_dir / "report.json", json.dumps(report, indent=2) + "\n")
    return report


def main(_):
    """Writes the report that the flags ask for."""
    options = flags.FLAGS
    output_dir = Path(options.output_dir)
    write(options, output_dir, options.started)
    print(f"The report is {output_dir / 'report.md'}")


if __name__ == "__main__":
    flags.DEFINE_string("data_dir", None, "Data set that the run was trained on.", required=True)
    flags.DEFINE_string("damsm", None, "Run of t2i_tf.pretrain_damsm.", required=True)
    flags.DEFINE_string("workdir", None, "Run of t2i_tf.train.", required=True)
    flags.DEFINE_string("trained", None, "SavedModel of that run.", required=True)
    flags.DEFINE_string("bundled", None, "SavedModel of the bundled model.", required=True)
    flags.DEFINE_string(
        "bundled_model", str(model_directory.BUNDLED), "Model directory behind --bundled."
    )
    flags.DEFINE_string("output_dir", None, "Folder for the page.", required=True)
    flags.DEFINE_integer("num_captions", 400, "Unseen captions to draw.", lower_bound=2)
    flags.DEFINE_float(
        "started", None, "Unix time at which the whole work began, to tell its minutes."
    )
    run(main)
