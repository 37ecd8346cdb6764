"""Compares models: the same captions and seeds, every metric with a paired test, pictures.

    python -m t2i_tf.compare --models=bundled,runs/cub --data_dir=data/cub --output_dir=compared

Models may be model directories, runs or imported weights; all must draw pictures of one size. One
DAMSM judges all of them, by default the first model's. The page is <output_dir>/compare.html, which
needs no other file; compare.json holds every figure and every paired test.
"""

from pathlib import Path

from absl import flags

from data_pipeline.support.errors import UserError, of_flag, run
from data_pipeline.support.files import write_text
from t2i_tf.comparing import measured, page, pictures
from t2i_tf.metrics import catalogue, inception
from t2i_tf.metrics.measuring import Measuring
from t2i_tf.metrics.real import Judge
from t2i_tf.models import model_directory


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_list("models", None, "Model directories or runs, at least two.", required=True)
    flags.DEFINE_string("data_dir", None, "Data set with captions and pictures.", required=True)
    flags.DEFINE_string("output_dir", None, "Folder for the page.", required=True)
    flags.DEFINE_string("judge", None, "Model whose DAMSM judges; by default the first one.")
    flags.DEFINE_list(
        "metrics", None, f"Of {', '.join(catalogue.METRICS)}; by default all possible."
    )
    flags.DEFINE_integer("num_images", 2000, "Pictures of each model.", lower_bound=1)
    flags.DEFINE_list("inception", [inception.IMAGENET], "As of t2i_tf.evaluate.")
    flags.DEFINE_string("clip", None, "As of t2i_tf.evaluate.")
    flags.DEFINE_integer("seed", 0, "Decides captions and noise.", lower_bound=0, upper_bound=2**62)
    flags.DEFINE_integer(
        "max_words", None, "Words read of a caption; each model's own number if left out.", 1
    )


def main(_: list[str]) -> None:
    """Compares the models that the flags name."""
    options = flags.FLAGS
    names, judge_of = options.models, options.judge or options.models[0]
    notes = measured.check(names)
    if not options.inception:
        raise UserError("--inception: no network is named")
    folder = Path(options.output_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output_dir={folder} cannot be made: {error.strerror}") from error
    with of_flag("judge"):
        judge = Judge.load(f"DAMSM of {judge_of}", judge_of, options.max_words)
    measuring = Measuring(
        data_dir=options.data_dir,
        metrics=options.metrics,
        num_images=options.num_images,
        networks=options.inception,
        clip=options.clip,
        seed=options.seed,
        max_words=options.max_words,
    )
    reports = measured.measure(names, measuring, judge, folder)
    found = list(measured.pairs(reports))
    models = {name: model_directory.load(name, max_words=options.max_words) for name in names}
    split = measuring.real.split
    sheets = {
        "The same captions and seeds": pictures.side_by_side(models, split, options.seed),
        "Stages": pictures.stages(models, split, options.seed),
    }
    for name, model in models.items():
        sheets[f"{name}: worst and best"] = pictures.extremes(
            model, judge, split, options.num_images, options.seed
        )
    write_text(folder / "compare.json", page.as_json(reports, found, judge_of))
    write_text(folder / "compare.html", page.page(reports, found, judge_of, sheets, notes))
    print(folder / "compare.html")


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
