"""Pretrains DAMSM, the text-image matching model, on a built data set.

    python -m t2i_tf.pretrain_damsm --config=tiny_damsm --data_dir= --workdir=

The trained encoders are in <workdir>/model. The same command resumes a stopped run.
"""

from pathlib import Path

from absl import flags

from data_pipeline.dataset import Split
from data_pipeline.support.errors import run
from t2i_tf.models import model_directory
from t2i_tf.models.model_card import damsm_card
from t2i_tf.training.build import build_damsm
from t2i_tf.training.callbacks.watching import damsm_watchers
from t2i_tf.training.flags import define_training, deterministic
from t2i_tf.training.machinery import replicas
from t2i_tf.training.machinery.memory import keep_freed_memory
from t2i_tf.training.options import check, in_steps
from t2i_tf.training.run import Run


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
            config, workdir, split, options.profile, deterministic(options.deterministic)
        )
        with training.opened():
            model = build_damsm(config, len(split.vocabulary))
            trained = model_directory.ModelDirectory(
                config, split.vocabulary, model.text_encoder, model.image_encoder
            )

            def export(step):
                card = damsm_card(config, split.info, step)
                model_directory.save(workdir / "model", trained, card)

            training.fit(model, export, lambda board: damsm_watchers(board, trained, unseen))
    print(f"The encoders are in {workdir / 'model'}")


def command() -> None:
    """The command line."""
    run(main, define_training)


if __name__ == "__main__":
    command()
