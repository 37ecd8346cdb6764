"""Trains an attentional GAN on a built data set with the encoders of a pretrained DAMSM.

    python -m t2i_tf.train --config=configs/tiny.py --data_dir= --damsm=<damsm workdir> --workdir=

The trained model lies in <workdir>/model, sample grids in <workdir>/samples, and TensorBoard reads
<workdir>. The same command goes on where a stopped run left off.
"""

from pathlib import Path

from absl import flags

from data_pipeline.dataset import Split
from data_pipeline.errors import UserError, run
from t2i_tf import build, model_directory, replicas, training, warm_start, watching
from t2i_tf.memory import keep_freed_memory
from t2i_tf.metrics.protocol import RealSet
from t2i_tf.model_card import generator_card


def main(_):
    """Trains, or goes on, to the config's number of steps."""
    keep_freed_memory()
    options = flags.FLAGS
    config, workdir = options.config, Path(options.workdir)
    with replicas.strategy(options.strategy, options.cpu_devices).scope():
        split, real = Split(options.data_dir, "train"), RealSet(options.data_dir)
        training.check(config)
        with build.precision(config.train.precision):
            damsm = model_directory.load(options.damsm, need=("image_encoder",))
        _check(config)
        warm_start.adopt_encoders(options.damsm, damsm, config, split.vocabulary)
        scorer = watching.choose_scorer(damsm.image_encoder, options.damsm)
        start = warm_start.starting_point(options.init_from, config, split.vocabulary, workdir)
        with training.run_in(workdir, config):
            model = build.attngan(config, (damsm.text_encoder, damsm.image_encoder))
            if start:
                warm_start.start_from(start, model)
            trained = model_directory.ModelDirectory(
                config,
                split.vocabulary,
                damsm.text_encoder,
                damsm.image_encoder,
                model.ema_generator,
            )

            def export(step):
                card = generator_card(config, split.info, step)
                model_directory.save(workdir / "model", trained, card)

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
                watchers=lambda board: watching.gan(board, trained, real, scorer),
                profile=options.profile,
            )
    print(f"The model is in {workdir / 'model'}, sample grids are in {workdir / 'samples'}")


def _check(config):
    """The generator can only draw images of one size at the end."""
    largest = config.generator.base_size * 2 ** (config.generator.stages - 1)
    if config.data.image_size != largest:
        raise UserError(
            f"data.image_size={config.data.image_size}, but the last of generator.stages="
            f"{config.generator.stages} draws {largest} px"
        )


if __name__ == "__main__":
    training.define_flags()
    flags.adopt_module_key_flags(training)
    flags.DEFINE_string("damsm", None, "Run or model directory of t2i_tf.pretrain_damsm.")
    flags.DEFINE_string("init_from", None, "Model directory whose GAN a new run starts from.")
    flags.mark_flag_as_required("damsm")
    watching.define_score_flags()
    run(main)
