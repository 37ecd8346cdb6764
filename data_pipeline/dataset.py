"""tf.data batches from TFRecord shards, addressed by a global example index.

Example number `i` of the endless training stream is a pure function of (data, seed, i), which
decide its record, caption, crop, flip and subset of words. A run that stopped after n batches
resumes exactly by starting at n * batch_size; the stream has no state to save.
"""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from data_pipeline.pixels import size_to_crop, to_float
from data_pipeline.records import Records
from data_pipeline.service import DataService, read_by_ops
from data_pipeline.support.errors import UserError
from data_pipeline.text.exchange import Exchange
from data_pipeline.text.wordpiece import begins, word_numbers
from data_pipeline.tfrecord import DatasetInfo, parse, shard_paths

_READ_TOGETHER = 32  # Records that one call into Python reads.


class Split:
    """One split of a built data set; its records are read when they are asked for.

    Args:
        data_dir: Folder written by `data_pipeline.build_tfrecords`.
        name: `"train"` or `"test"`.

    Attributes:
        data_dir: The folder.
        info: The `DatasetInfo`.
        vocabulary: The `Vocabulary`.

    Raises:
        UserError: The data set is damaged or has no such split.
    """

    def __init__(self, data_dir: str | Path, name: str):
        self.data_dir = data_dir
        self.info = DatasetInfo.load(data_dir)
        self.vocabulary = self.info.load_vocabulary(data_dir)
        if name not in self.info.splits:
            raise UserError(f"{data_dir}: no split {name!r}; it has {sorted(self.info.splits)}")
        self._records = Records(shard_paths(data_dir, self.info.dataset, name))
        expected = self.info.splits[name]["images"]
        if len(self) != expected:
            raise UserError(
                f"{data_dir}: split {name!r} holds {len(self)} records, dataset_info.json says "
                f"{expected}; build the data set again"
            )

    def __len__(self) -> int:
        return len(self._records)

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of the vocabulary and of the records, see `Records.fingerprint`."""
        return f"{self.vocabulary.sha256[:32]}-{self._records.fingerprint()[:32]}"

    def train_batches(
        self,
        *,
        batch_size: int,
        image_sizes: Sequence[int],
        max_words: int,
        seed: int,
        start: int = 0,
        share: tuple[int, int, int] = (0, 1, 1),
        flip: bool = True,
        crop_jitter: float = 1.0,
        exchange_words: Sequence[Sequence[str]] = (),
        service: DataService | None = None,
    ) -> tf.data.Dataset:
        """The endless stream of training batches, from example number `start` on.

        Args:
            batch_size: B.
            image_sizes: Sides of the image pyramid, ascending, each half of the next.
            max_words: T; a longer caption keeps a random subset of its words in order (of
                wordpieces, T pieces of random words).
            seed: Decides every random choice together with the example's index.
            start: Global index of the first example.
            share: A worker's share of each global batch, as (first, rows, of): of every `of`
                examples it takes `rows`, beginning with number `first`.
            flip: Whether images are mirrored at random.
            crop_jitter: How far the random crop may be from the centre: 1 allows any place in the
                picture, 0 only the centre. Pictures are first rescaled to `size_to_crop`.
            exchange_words: Groups of words of which any two differ in meaning (the colours, say;
                left and right), as `Exchange` takes them.
            service: Makes the batches elsewhere; they are the same, in the same order.

        Returns:
            A dataset of dicts: `images`, a tuple of float32 `[B, s, s, 3]` in [-1, 1];
            `tokens`, int32 `[B, T]`, 0 after the last word; `class_id`, int32 `[B]`; `index`,
            int64 `[B]`; with `exchange_words` also `wrong_tokens`, int32 `[B, T]`, the caption
            with two different words of a group swapped, or the only one replaced by another of its
            group (equal to `tokens` if it has none).

        Raises:
            UserError: The data set stores smaller images than asked for.
        """
        load = _Loader(self, image_sizes, max_words, seed, flip, crop_jitter, exchange_words)
        count = len(self)

        first, rows, of = share

        def place(number):
            index = start + number // rows * of + first + number % rows
            epoch = index // count
            shuffle_seed = tf.stack([tf.cast(seed, tf.int64), epoch])
            return tf.random.experimental.index_shuffle(
                index % count, shuffle_seed, count - 1
            ), index

        def loaded(records):
            return records.map(
                load.random, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
            ).batch(batch_size, drop_remainder=True)

        if service is None:
            numbers = tf.data.Dataset.range(np.iinfo(np.int64).max)
            batches = loaded(self._read(numbers.map(place)))
        else:

            def make(numbers):
                examples = numbers.map(
                    lambda n: n * batch_size + tf.range(batch_size, dtype=n.dtype)
                )
                places = examples.unbatch().map(place)
                return loaded(read_by_ops(self._records.shards, self._records.counts, places))

            batches = service.batches(make)
        return batches.prefetch(tf.data.AUTOTUNE)

    def eval_batches(
        self, *, batch_size: int, image_sizes: Sequence[int], max_words: int, caption: int = 0
    ) -> tf.data.Dataset:
        """All examples once, in order, centrally cropped, each with its caption number `caption`.

        In a record with fewer captions, the number wraps around.

        Returns:
            A dataset of dicts as `train_batches` gives them; `index` is the row in the split. The
            last batch may be smaller.

        Raises:
            UserError: The data set stores smaller images than asked for.
        """
        load = _Loader(self, image_sizes, max_words, 0, False, 0.0, ())
        rows = tf.data.Dataset.range(len(self))
        return (
            self._read(rows.map(lambda row: (row, row)))
            .map(
                lambda record, row: load.central(record, row, caption),
                num_parallel_calls=tf.data.AUTOTUNE,
            )
            .batch(batch_size)
            .prefetch(tf.data.AUTOTUNE)
        )

    def example(self, row: int) -> dict:
        """One parsed record as a dict of NumPy values."""
        return {name: value.numpy() for name, value in parse(self._records[row]).items()}

    def examples(self) -> Iterator[dict]:
        """The parsed records as dicts of NumPy arrays, in order."""
        rows = tf.data.Dataset.range(len(self)).map(lambda row: (row, row))
        return self._read(rows).map(lambda record, row: parse(record)).as_numpy_iterator()

    def _read(self, places):
        """Turns a dataset of (row, anything) into one of (record, anything)."""

        def read(rows, rest):
            # Stateful functions would cost determinism all parallelism and prefetching.
            take = self._records.take
            records = tf.numpy_function(take, [rows], tf.string, stateful=False)
            return tf.ensure_shape(records, [None]), rest

        return places.batch(_READ_TOGETHER).map(read, num_parallel_calls=tf.data.AUTOTUNE).unbatch()


class _Loader:
    """Turns one serialized record into one training or evaluation example."""

    def __init__(self, split, image_sizes, max_words, seed, flip, crop_jitter, exchange_words):
        self.image_sizes = tuple(image_sizes)
        stored_size = split.info.stored_size
        self.size_to_crop = size_to_crop(self.image_sizes[-1])
        if self.size_to_crop > stored_size:
            raise UserError(
                f"images of {self.image_sizes[-1]} px are cut from pictures of {self.size_to_crop} "
                f"px, but {split.data_dir} stores {stored_size} px; build it with "
                f"--image_size={self.image_sizes[-1]}"
            )
        # Decoding a JPEG at a fraction of its size costs less than decoding it whole.
        self.fraction = max(n for n in (1, 2, 4, 8) if self.size_to_crop * n <= stored_size)
        self.decoded_size = -(-stored_size // self.fraction)
        self.max_words = max_words
        self.seed = seed
        self.flip = flip
        self.crop_jitter = crop_jitter
        self.begins = begins(split.vocabulary.words)
        self.exchange = None
        if exchange_words:
            self.exchange = Exchange(exchange_words, split.vocabulary, max_words)

    def random(self, record, index):
        """A random crop, flip, caption and choice of words, all decided by (seed, index)."""
        parsed = parse(record)
        seeds = tf.random.split(tf.stack([tf.cast(self.seed, tf.int64), index]), 5)
        image = decode(parsed["image"], self.fraction)
        offsets = self.crop_jitter * tf.random.stateless_uniform([2], seeds[0], -1.0, 1.0)
        image = self._crop(image, offsets)
        if self.flip:
            image = tf.image.stateless_random_flip_left_right(image, seeds[1])
        caption = tf.random.stateless_uniform(
            [], seeds[2], 0, tf.size(parsed["token_counts"], tf.int64), tf.int64
        )
        tokens = self._words(parsed, caption, seeds[3])
        example = self._example(parsed, image, tokens, index)
        if self.exchange:
            example["wrong_tokens"] = self.exchange(tokens, seeds[4])
        return example

    def central(self, record, index, caption):
        """The central crop with caption number `caption`, cut to its first words."""
        parsed = parse(record)
        image = self._crop(decode(parsed["image"], self.fraction), tf.zeros([2]))
        tokens = _caption_tokens(parsed, caption)[: self.max_words]
        return self._example(parsed, image, self._pad(tokens), index)

    def _example(self, parsed, image, tokens, index):
        return {
            "images": pyramid(image, self.image_sizes),
            "tokens": tokens,
            "class_id": tf.cast(parsed["class_id"], tf.int32),
            "index": index,
        }

    def _crop(self, image, offsets):
        """Cuts the final square; offsets in [-1, 1] go from edge to edge, 0 is the centre."""
        image = self._rescale(image)
        side = self.image_sizes[-1]
        slack = tf.shape(image)[:2] - side
        corner = tf.cast(tf.round(tf.cast(slack, tf.float32) * (offsets + 1.0) / 2.0), tf.int32)
        image = tf.image.crop_to_bounding_box(image, corner[0], corner[1], side, side)
        return tf.ensure_shape(image, [side, side, 3])

    def _rescale(self, image):
        """Gives the smaller side the size to crop from: a crop shows as much at every size."""
        if self.size_to_crop == self.decoded_size:
            return image
        size = tf.cast(tf.shape(image)[:2], tf.float32) * (self.size_to_crop / self.decoded_size)
        return tf.image.resize(image, tf.cast(tf.round(size), tf.int32), antialias=True)

    def _words(self, parsed, caption, seed):
        """The caption's token ids, in order; those of random words if there are too many."""
        tokens = _caption_tokens(parsed, caption)
        chance = tf.random.stateless_uniform([tf.size(tokens)], seed)
        chance = tf.gather(chance, word_numbers(tokens, self.begins))
        order = tf.argsort(chance, stable=True)
        return self._pad(tf.gather(tokens, tf.sort(order[: self.max_words])))

    def _pad(self, tokens):
        tokens = tf.pad(tf.cast(tokens, tf.int32), [[0, self.max_words - tf.size(tokens)]])
        return tf.ensure_shape(tokens, [self.max_words])


def decode(jpeg: tf.Tensor, fraction: int = 1) -> tf.Tensor:
    """JPEG bytes to float32 `[H, W, 3]` in [-1, 1], 1, 2, 4 or 8 times smaller than stored."""
    return to_float(tf.io.decode_jpeg(jpeg, channels=3, ratio=fraction))


def pyramid(image: tf.Tensor, sizes: Sequence[int]) -> tuple[tf.Tensor, ...]:
    """Downscales the square image `[S, S, 3]` to each of `sizes`, with antialiasing."""
    side = image.shape[0]
    return tuple(
        image if size == side else tf.image.resize(image, (size, size), antialias=True)
        for size in sizes
    )


def _caption_tokens(parsed, caption):
    counts = parsed["token_counts"]
    caption %= tf.size(counts, tf.int64)
    start = tf.reduce_sum(counts[:caption])
    return parsed["token_ids"][start : start + counts[caption]]
