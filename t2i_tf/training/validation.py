"""DAMSM's loss on pictures that it does not train on, which decides its best encoders."""

import numpy as np
import tensorflow as tf

from data_pipeline.dataset import Split
from t2i_tf.training.callbacks import Watcher
from t2i_tf.training.damsm import DAMSM
from t2i_tf.training.losses import damsm_losses, damsm_scores

VALIDATION_LOSS, VALIDATION_BATCHES = "val_loss", 50


class Validation(Watcher):
    """DAMSM's losses on pictures and captions that it does not train on.

    The published code prints their sum after each epoch, of at most 50 batches as here.

    Args:
        trainer: The `DAMSM`.
        unseen: The split.
        batch_size: Pictures that are compared with each other; the last, smaller batch counts only
            if it is the only one, because losses grow with the size of a batch.
        max_words: Words read of a caption.
    """

    def __init__(self, trainer: DAMSM, unseen: Split, batch_size: int, max_words: int):
        super().__init__()
        self.trainer = trainer
        size = min(batch_size, len(unseen))
        self.batches = unseen.eval_batches(
            batch_size=size, image_sizes=trainer.image_sizes, max_words=max_words
        ).take(min(VALIDATION_BATCHES, len(unseen) // size))

    def look(self, step: int) -> dict[str, float]:
        losses = [self._losses(batch) for batch in self.batches]
        means = {f"val_{n}": float(np.mean([own[n] for own in losses])) for n in losses[0]}
        return {VALIDATION_LOSS: sum(means.values()), **means}

    def _losses(self, batch):
        tokens = batch["tokens"]
        words, sentences = self.trainer.text_encoder(tokens)
        regions, codes = self.trainer.image_encoder(batch["images"][-1])
        features = (tf.cast(f, tf.float32) for f in (words, sentences))
        regions, codes = tf.cast(regions, tf.float32), tf.cast(codes, tf.float32)
        scores = damsm_scores(*features, tokens != 0, regions, codes, self.trainer.gammas)
        return damsm_losses(scores, batch["class_id"])
