"""Measures a model by the field's protocol: Inception Score, FID, R-precision; and faithfulness.

    python -m t2i_tf.evaluate --model_dir=runs/cub --data_dir=data/cub --output_dir=runs/cub/scores

Pictures are drawn from the captions of the test split, in turn, and never stored. Figures depend on
the network that measures the pictures: to compare with a paper, name the paper's network file in
--inception (see t2i_tf/metrics/inception.py); `damsm` needs no download. --images_dir= measures a
folder of pictures from any program. The report is in <output_dir>/report.md and report.json, beside
the statistics of the real pictures, which the next call reuses.
"""

from pathlib import Path

from absl import flags

from data_pipeline.support.errors import UserError, of_flag, run
from data_pipeline.support.hashing import file_sha256
from t2i_tf.metrics import inception, report, streams
from t2i_tf.metrics.protocol import (
    FAITHFULNESS,
    R_PRECISION,
    Judge,
    RealSet,
    choose_metrics,
    evaluate,
)
from t2i_tf.models import model_directory


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("model_dir", None, "Model directory, or a run's --workdir.")
    flags.DEFINE_string("images_dir", None, "Folder of PNG and JPEG files to measure instead.")
    flags.DEFINE_string("data_dir", None, "Data set with captions and real pictures.")
    flags.DEFINE_string("output_dir", None, "Folder for the report.", required=True)
    flags.DEFINE_list(
        "metrics", None, "Of is, fid, r_precision, faithfulness; by default all possible."
    )
    flags.DEFINE_integer("num_images", 30000, "Pictures to draw or read.", lower_bound=1)
    flags.DEFINE_list("inception", [inception.IMAGENET], "Networks: imagenet, damsm, or files.")
    flags.DEFINE_string("independent", None, "Another DAMSM, to judge R-precision as well.")
    flags.DEFINE_integer("seed", 0, "Decides captions and noise.", lower_bound=0, upper_bound=2**62)
    flags.DEFINE_integer(
        "max_words",
        None,
        "Words read of a caption; the model's own number if left out. Published figures took 25 "
        "for birds and 20 for COCO.",
        lower_bound=1,
    )
    flags.DEFINE_integer("batch_size", 32, "Pictures per batch.", lower_bound=1)


def main(arguments: list[str]) -> None:
    """Measures what the flags ask for."""
    if len(arguments) > 1:
        raise UserError(f"unexpected argument {arguments[1]!r}: lists are written with commas")
    options = flags.FLAGS
    if bool(options.model_dir) == bool(options.images_dir):
        raise UserError("give either --model_dir=<a model> or --images_dir=<a folder of pictures>")
    if options.model_dir and not options.data_dir:
        raise UserError("--model_dir needs --data_dir: pictures are drawn from its test captions")
    real = RealSet(options.data_dir) if options.data_dir else None
    with of_flag("metrics"):
        metrics = choose_metrics(
            options.metrics,
            bool(options.model_dir),
            bool(real),
            bool(real and real.of_birds),
            options.inception,
        )
    judging = R_PRECISION in metrics
    if options.independent and not judging:
        raise UserError(f"--independent judges {R_PRECISION}, which is not measured here")
    own = None
    if options.model_dir:
        model = model_directory.load(options.model_dir, max_words=options.max_words)
        if judging or inception.DAMSM in options.inception:
            own = Judge.load("own DAMSM", options.model_dir, options.max_words)
    judges = [own] if judging else []
    if options.independent:
        judges.append(Judge.load("independent DAMSM", options.independent, options.max_words))
    extractors = []
    if set(metrics) - {R_PRECISION, FAITHFULNESS}:
        with of_flag("inception"):
            extractors = inception.load_all(options.inception, own and own.extractor)
    folder = Path(options.output_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output_dir={folder} cannot be made: {error.strerror}") from error
    count, batch_size = options.num_images, options.batch_size
    if options.model_dir:
        pictures = streams.drawn_pictures(model, real.split, count, options.seed, batch_size)
        weights = model_directory.weights_file(model_directory.find(options.model_dir), "generator")
        pictures.about["generator_sha256"] = file_sha256(weights)
    else:
        with of_flag("images_dir"):
            pictures = streams.folder_pictures(options.images_dir, count, batch_size)
    figures = evaluate(pictures, metrics, extractors, real, judges, batch_size, folder)
    print(report.write({"of": options.model_dir or options.images_dir, **figures}, folder))


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
