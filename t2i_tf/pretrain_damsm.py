"""Pretrains DAMSM, the text-image matching model, on a built data set.

    python -m t2i_tf.pretrain_damsm --config=tiny_damsm --data_dir= --workdir=

The trained encoders are in <workdir>/model, those of the least validation loss (on the test split)
in <workdir>/best; best.json names step and loss. The same command resumes a stopped run.
"""

from pathlib import Path

from absl import flags

from data_pipeline.dataset import Split
from data_pipeline.support.errors import run
from t2i_tf.models import model_directory
from t2i_tf.models.model_card import damsm_card
from t2i_tf.training.build import build_damsm
from t2i_tf.training.callbacks import Best, Snapshots
from t2i_tf.training.callbacks.watching import damsm_watchers
from t2i_tf.training.flags import data_service, define_training, deterministic
from t2i_tf.training.machinery import replicas
from t2i_tf.training.machinery.memory import keep_freed_memory
from t2i_tf.training.options import check, in_steps
from t2i_tf.training.run import Run
from t2i_tf.training.validation import VALIDATION_LOSS, Validation


def main(_: list[str]) -> None:
    """Pretrains, or resumes pretraining, up to the config's number of steps."""
    keep_freed_memory()
    options = flags.FLAGS
    workdir = Path(options.workdir)
    with replicas.strategy(options.strategy, options.cpu_devices).scope():
        check(options.config, replicas.count(), deterministic(options.deterministic))
        split, unseen = (Split(options.data_dir, name) for name in ("train", "test"))
        config = in_steps(options.config, len(split))
        training = Run(
            config,
            workdir,
            split,
            options.profile,
            deterministic(options.deterministic),
            data_service(options.data_service),
        )
        with training.opened():
            model = build_damsm(config, len(split.vocabulary))
            trained = model_directory.ModelDirectory(
                config, split.vocabulary, model.text_encoder, model.image_encoder
            )

            def write(folder, step):
                model_directory.save(folder, trained, damsm_card(config, split.info, step))

            training.fit(
                model,
                lambda step: write(workdir / "model", step),
                lambda board: [
                    Validation(model, unseen, config.train.batch_size, config.data.max_words),
                    *damsm_watchers(board, trained, unseen),
                ],
                Snapshots(
                    workdir,
                    write,
                    config.train.steps_per_checkpoint,
                    options.keep_every,
                    Best(VALIDATION_LOSS, lower=True),
                ),
            )
    print(f"The encoders are in {workdir / 'model'}, those of the least {VALIDATION_LOSS} in best")


def command() -> None:
    """The command line."""
    run(main, define_training)


if __name__ == "__main__":
    command()
