"""Measures a trained model beside the bundled one and writes a page with pictures and figures.

    python -m export.report --data_dir=quickstart/data --damsm=quickstart/damsm \
        --workdir=quickstart/gan --trained=quickstart/saved_model \
        --bundled=quickstart/saved_model_bundled --output_dir=quickstart

Both SavedModels are loaded afresh and draw birds of species that the trained one has never seen.
The page is report.md in --output_dir, the figures also report.json, the pictures lie in report/.
The data must be that of --source=synthetic, whose true colours are known.
"""

from pathlib import Path

from absl import flags

from data_pipeline.support.errors import run
from export.quickstart import report


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("data_dir", None, "Data set that the run was trained on.", required=True)
    flags.DEFINE_string("damsm", None, "Run of t2i_tf.pretrain_damsm.", required=True)
    flags.DEFINE_string("workdir", None, "Run of t2i_tf.train.", required=True)
    flags.DEFINE_string("trained", None, "SavedModel of that run.", required=True)
    flags.DEFINE_string("bundled", None, "SavedModel of the bundled model.", required=True)
    flags.DEFINE_string("bundled_model", "bundled:64", "Model directory behind --bundled.")
    flags.DEFINE_string("output_dir", None, "Folder for the page.", required=True)
    flags.DEFINE_integer("num_captions", 400, "Unseen captions to draw.", lower_bound=2)
    flags.DEFINE_float(
        "started", None, "Unix time at which the whole work began, to tell its minutes."
    )


def main(_: list[str]) -> None:
    """Writes the report that the flags ask for."""
    options = flags.FLAGS
    inputs = report.Inputs(
        data_dir=options.data_dir,
        damsm=options.damsm,
        workdir=options.workdir,
        trained=options.trained,
        bundled=options.bundled,
        bundled_model=options.bundled_model,
        num_captions=options.num_captions,
    )
    output_dir = Path(options.output_dir)
    report.write(inputs, output_dir, options.started)
    print(f"The report is {output_dir / 'report.md'}")


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
