"""Pretrains DAMSM, the text-image matching model, on a built data set.

    python -m t2i_tf.pretrain_damsm --config=configs/tiny_damsm.py --data_dir= --workdir=

The trained encoders lie in <workdir>/model. The same command goes on where a stopped run left off.
"""

from pathlib import Path

from absl import flags

from data_pipeline.dataset import Split
from data_pipeline.errors import run
from t2i_tf import build, model_directory, replicas, training, watching
from t2i_tf.memory import keep_freed_memory
from t2i_tf.model_card import damsm_card


def main(_):
    """Pretrains, or goes on, to the config's number of steps."""
    keep_freed_memory()
    options = flags.FLAGS
    config, workdir = options.config, Path(options.workdir)
    with replicas.strategy(options.strategy, options.cpu_devices).scope():
        split, unseen = (Split(options.data_dir, name) for name in ("train", "test"))
        training.check(config)
        with training.run_in(workdir, config):
            model = build.damsm(config, len(split.vocabulary))

            def export(step):
                trained = model_directory.ModelDirectory(
                    config, split.vocabulary, model.text_encoder, model.image_encoder
                )
                model_directory.save(
                    workdir / "model", trained, damsm_card(config, split.info, step)
                )

            training.fit(
                model,
                [model.text_encoder, model.image_encoder, model.optimizer],
                config,
                split,
                workdir,
                image_sizes=[config.data.image_size],
                export=export,
                shown=["loss"],
                watchers=lambda board: watching.damsm(board, config, unseen),
                profile=options.profile,
            )
    print(f"The encoders are in {workdir / 'model'}")


if __name__ == "__main__":
    training.define_flags()
    flags.adopt_module_key_flags(training)
    run(main)
