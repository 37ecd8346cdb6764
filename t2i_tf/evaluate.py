"""Measures a model by the field's protocol: Inception Score, FID, KID, R-precision, and more.

    python -m t2i_tf.evaluate --model_dir=runs/cub --data_dir=data/cub --output_dir=runs/cub/scores

Pictures are drawn from the captions of the test split, in turn, and never stored. Figures depend on
the network that measures the pictures: to compare with a paper, name the paper's network file in
--inception (see t2i_tf/metrics/inception.py); `damsm` needs no download. --images_dir= measures a
folder of pictures from any program. A run of t2i_tf.pretrain_damsm has no generator: its encoders
are measured on real pictures. docs/metrics.md says what each figure is. The report is in
<output_dir>/report.md and report.json, beside the features of the real pictures, which the next
call reuses. Of a run, the models that --keep_every and --keep_best kept are measured too.
--dump_dir= writes every picture for other people's scorers; a call that was stopped goes on there.
"""

from pathlib import Path

from absl import flags

from data_pipeline.support.errors import UserError, run
from t2i_tf.metrics import catalogue, inception, report
from t2i_tf.metrics.measuring import Measuring
from t2i_tf.training.callbacks.snapshots import kept
from t2i_tf.training.flags import define_strategy
from t2i_tf.training.machinery import replicas


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("model_dir", None, "Model directory, or a run's --workdir.")
    flags.DEFINE_string("images_dir", None, "Folder of PNG and JPEG files to measure instead.")
    flags.DEFINE_string("data_dir", None, "Data set with captions and real pictures.")
    flags.DEFINE_string("output_dir", None, "Folder for the report.", required=True)
    flags.DEFINE_list(
        "metrics", None, f"Of {', '.join(catalogue.METRICS)}; by default all possible."
    )
    flags.DEFINE_integer("num_images", 30000, "Pictures to draw or read.", lower_bound=1)
    flags.DEFINE_list(
        "inception",
        [inception.IMAGENET],
        "Networks: imagenet, damsm, or files; clean:<file> resizes as clean-fid does.",
    )
    flags.DEFINE_string("independent", None, "Another DAMSM, to judge R-precision as well.")
    flags.DEFINE_string("clip", None, "CLIP as a judge: a keras-hub preset, or its folder.")
    flags.DEFINE_integer("seed", 0, "Decides captions and noise.", lower_bound=0, upper_bound=2**62)
    flags.DEFINE_integer(
        "max_words",
        None,
        "Words read of a caption; the model's own number if left out. Published figures took 25 "
        "for birds and 20 for COCO.",
        lower_bound=1,
    )
    flags.DEFINE_boolean("snapshots", True, "Also measure the models of earlier steps of a run.")
    flags.DEFINE_string("dump_dir", None, "Also write every picture, its caption and its index.")
    define_strategy()


def main(_: list[str]) -> None:
    """Measures what the flags ask for."""
    options = flags.FLAGS
    if bool(options.model_dir) == bool(options.images_dir):
        raise UserError("give either --model_dir=<a model> or --images_dir=<a folder of pictures>")
    if options.model_dir and not options.data_dir:
        raise UserError("--model_dir needs --data_dir: pictures are drawn from its test captions")
    if options.dump_dir and not options.model_dir:
        raise UserError("--dump_dir writes what a model draws: give --model_dir")
    if options.strategy in ("multiworker", "tpu"):
        raise UserError(f"--strategy={options.strategy}: one machine's CPU or GPUs measure")
    if not options.inception:
        raise UserError("--inception: no network is named")
    folder = Path(options.output_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output_dir={folder} cannot be made: {error.strerror}") from error
    strategy = replicas.strategy(options.strategy, options.cpu_devices)
    several = strategy.num_replicas_in_sync > 1
    measuring = Measuring(
        data_dir=options.data_dir,
        metrics=options.metrics,
        num_images=options.num_images,
        networks=options.inception,
        independent=options.independent,
        clip=options.clip,
        seed=options.seed,
        max_words=options.max_words,
        devices=strategy.extended.worker_devices if several else (None,),
    )
    if options.images_dir:
        print(report.write(measuring.of_folder(options.images_dir, folder), folder))
        return
    measured = measuring.of_model(options.model_dir, folder, dump_dir=options.dump_dir)
    text = report.write(measured, folder)
    if options.snapshots and (models := kept(options.model_dir)):
        measured["steps"] = measuring.of_steps(models, folder)
        text = report.write(measured, folder)
    print(text)


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
