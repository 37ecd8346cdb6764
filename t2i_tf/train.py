"""Trains an attentional GAN on a built data set with the encoders of a pretrained DAMSM.

    python -m t2i_tf.train --config=configs/tiny.py --data_dir= --damsm=<damsm workdir> --workdir=

The trained model lies in <workdir>/model, sample grids in <workdir>/samples, and TensorBoard reads
<workdir>. The same command goes on where a stopped run left off.
"""

from pathlib import Path

from absl import flags
from ml_collections import config_flags

from data_pipeline.dataset import Split
from data_pipeline.errors import UserError, run
from t2i_tf import build, model_directory, training
from t2i_tf.callbacks import SampleGrid
from t2i_tf.model_card import generator_card

CONFIG = config_flags.DEFINE_config_file("config", None, "Experiment, a file in configs/.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Data set of data_pipeline.build_tfrecords.")
DAMSM = flags.DEFINE_string("damsm", None, "Run or model directory of t2i_tf.pretrain_damsm.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of this run.")

SAMPLE_CAPTIONS, SAMPLE_SEEDS = 8, 5


def main(_):
    """Trains, or goes on, to the config's number of steps."""
    config, workdir = CONFIG.value, Path(WORKDIR.value)
    split, unseen = (Split(DATA_DIR.value, name) for name in ("train", "test"))
    damsm = model_directory.load(DAMSM.value, need=("image_encoder",))
    _check(config, damsm, split)
    training.prepare(config, workdir)
    model = build.attngan(config, (damsm.text_encoder, damsm.image_encoder))

    def export(step):
        trained = model_directory.ModelDirectory(
            config, split.vocabulary, damsm.text_encoder, damsm.image_encoder, model.ema_generator
        )
        model_directory.save(workdir / "model", trained, generator_card(config, split.info, step))

    fixed = next(
        iter(
            unseen.eval_batches(
                batch_size=min(SAMPLE_CAPTIONS, len(unseen)),
                image_sizes=[config.data.image_size],
                max_words=config.data.max_words,
            )
        )
    )
    training.fit(
        model,
        [
            model.text_encoder,
            model.image_encoder,
            model.generator,
            model.ema_generator,
            *model.discriminators,
            model.generator_optimizer,
            *model.discriminator_optimizers,
        ],
        config,
        split,
        workdir,
        image_sizes=model.generator.image_sizes,
        export=export,
        shown=[f"d_loss_{len(model.discriminators) - 1}", "g_loss", "word_loss"],
        callbacks=[
            SampleGrid(
                workdir,
                fixed["tokens"].numpy(),
                SAMPLE_SEEDS,
                config.train.steps_per_checkpoint,
                config.train.checkpoints_per_sample,
            )
        ],
    )
    print(f"The model is in {workdir / 'model'}, sample grids are in {workdir / 'samples'}")


def _check(config, damsm, split):
    """The run can only use encoders of its own vocabulary and sizes."""
    largest = config.generator.base_size * 2 ** (config.generator.stages - 1)
    if config.data.image_size != largest:
        raise UserError(
            f"data.image_size={config.data.image_size}, but the last of generator.stages="
            f"{config.generator.stages} draws {largest} px"
        )
    if damsm.vocabulary.sha256 != split.vocabulary.sha256:
        raise UserError(f"--damsm={DAMSM.value} was trained with another vocabulary than the data")
    for section in ("text_encoder", "image_encoder"):
        if dict(damsm.config[section]) != dict(config[section]):
            raise UserError(
                f"--damsm={DAMSM.value} has {section}={dict(damsm.config[section])}, "
                f"this config {dict(config[section])}"
            )


if __name__ == "__main__":
    flags.mark_flags_as_required(["config", "data_dir", "damsm", "workdir"])
    run(main)
