"""The fixed examples that the watchers use throughout a training."""

import dataclasses

import numpy as np

from data_pipeline.dataset import Split


@dataclasses.dataclass(frozen=True)
class Examples:
    """The first examples of a split.

    Attributes:
        tokens: The first captions' token ids, int32 `[N, T]`, 0 after the last word.
        words: The words behind them.
        classes: Names of the examples' classes.
        images: The real images, float32 `[N, S, S, 3]` in [-1, 1].
    """

    tokens: np.ndarray
    words: list[list[str]]
    classes: list[str]
    images: np.ndarray

    @classmethod
    def first(cls, split: Split, count: int, image_size: int, max_words: int) -> "Examples":
        """The first `count` examples, or all if there are fewer, see `Split.eval_batches`."""
        batches = split.eval_batches(
            batch_size=min(count, len(split)), image_sizes=[image_size], max_words=max_words
        )
        batch = next(iter(batches))
        tokens = batch["tokens"].numpy()
        return cls(
            tokens,
            [[split.vocabulary.words[i] for i in row if i] for row in tokens],
            [split.info.classes[i] for i in batch["class_id"].numpy()],
            batch["images"][0].numpy(),
        )

    def __len__(self):
        return len(self.tokens)

    def __getitem__(self, rows: slice) -> "Examples":
        """Some of the examples."""
        return Examples(self.tokens[rows], self.words[rows], self.classes[rows], self.images[rows])
