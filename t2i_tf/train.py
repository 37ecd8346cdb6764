"""Trains an attentional GAN on a built data set with the encoders of a pretrained DAMSM.

    python -m t2i_tf.train --config=tiny --data_dir= --damsm=<damsm workdir> --workdir=

The trained model is in <workdir>/model, sample grids are in <workdir>/samples, and TensorBoard
reads <workdir>. The same command resumes a stopped run.
"""

from pathlib import Path

from absl import flags

from data_pipeline.dataset import Split
from data_pipeline.support.errors import UserError, of_flag, run
from t2i_tf.metrics import inception
from t2i_tf.metrics.real import RealSet
from t2i_tf.models import model_directory
from t2i_tf.models.model_card import generator_card
from t2i_tf.networks.build import precision
from t2i_tf.training import warm_start
from t2i_tf.training.build import build_attngan
from t2i_tf.training.callbacks import Best, Snapshots
from t2i_tf.training.callbacks.watching import ScorePlan, gan_watchers
from t2i_tf.training.flags import data_service, define_training, deterministic
from t2i_tf.training.machinery import replicas
from t2i_tf.training.machinery.memory import keep_freed_memory
from t2i_tf.training.options import check, in_steps
from t2i_tf.training.run import Run


def define_flags() -> None:
    """Defines the command's flags."""
    define_training()
    flags.DEFINE_string("damsm", None, "Run or model directory of t2i_tf.pretrain_damsm.")
    flags.DEFINE_string("init_from", None, "Model directory whose GAN a new run starts from.")
    flags.mark_flag_as_required("damsm")
    flags.DEFINE_integer(
        "score_every", 10, "Checkpoints between two scores; 0 for none.", lower_bound=0
    )
    flags.DEFINE_enum(
        "keep_best",
        None,
        ["fid", "r_precision", "inception_score"],
        "Keep the model of the best such score in best/; best.json names step and score.",
    )
    flags.DEFINE_integer("score_images", 500, "How many pictures are scored.", lower_bound=10)
    flags.DEFINE_string(
        "inception", inception.DAMSM, "Network that scores: damsm, imagenet or a file."
    )


def main(_: list[str]) -> None:
    """Trains, or resumes training, up to the config's number of steps."""
    keep_freed_memory()
    options = flags.FLAGS
    workdir = Path(options.workdir)
    with replicas.strategy(options.strategy, options.cpu_devices).scope():
        check(options.config, replicas.count(), deterministic(options.deterministic))
        split, real = Split(options.data_dir, "train"), RealSet(options.data_dir)
        config = in_steps(options.config, len(split))
        with precision(config.train.precision):
            damsm = model_directory.load(options.damsm, need=("image_encoder",))
        vocabulary = split.vocabulary
        with of_flag("damsm"):
            config = warm_start.with_encoders(options.damsm, damsm, config, vocabulary)
        with of_flag("init_from"):
            start = warm_start.starting_point(options.init_from, config, vocabulary, workdir)
        scores = None
        if options.score_every:
            own = inception.damsm_extractor(damsm.image_encoder, options.damsm)
            with of_flag("inception"):
                (extractor,) = inception.load_all([options.inception], own)
            scores = ScorePlan([extractor, own], options.score_images, options.score_every)
        with of_flag("keep_best"):
            best = _best(options.keep_best, scores)
        training = Run(
            config,
            workdir,
            split,
            options.profile,
            deterministic(options.deterministic),
            data_service(options.data_service),
        )
        with training.opened():
            model = build_attngan(config, (damsm.text_encoder, damsm.image_encoder))
            if start:
                warm_start.start_from(start, model)
            trained = model_directory.ModelDirectory(
                config, vocabulary, damsm.text_encoder, damsm.image_encoder, model.ema_generator
            )

            def write(folder, step):
                model_directory.save(folder, trained, generator_card(config, split.info, step))

            training.fit(
                model,
                lambda step: write(workdir / "model", step),
                lambda board: gan_watchers(board, trained, real, scores),
                Snapshots(
                    workdir, write, config.train.steps_per_checkpoint, options.keep_every, best
                ),
            )
    print(f"The model is in {workdir / 'model'}, sample grids are in {workdir / 'samples'}")


def _best(figure, scores):
    """What decides the best model, None where no figure is named."""
    if not figure:
        return None
    if not scores:
        raise UserError(f"{figure} is a score, and --score_every=0 measures none")
    network = scores.extractors[0]
    if figure == "inception_score" and not network.classes:
        raise UserError("the Inception Score needs an --inception that knows classes, unlike damsm")
    scale = "" if figure == "r_precision" else f"_{network.scale}"
    return Best(f"score_{figure}{scale}", lower=figure == "fid")


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()
