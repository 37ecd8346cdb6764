"""Builds a data set from raw data: TFRecord shards of JPEG pictures and encoded captions."""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf

from data_pipeline import pictures
from data_pipeline.pixels import size_to_crop
from data_pipeline.records import write_index
from data_pipeline.sources.source import Example, Problems, RawData
from data_pipeline.support.errors import UserError
from data_pipeline.support.pool import process_pool
from data_pipeline.support.scratch import appearing
from data_pipeline.tfrecord import (
    INFO_FILE,
    VOCABULARY_FILE,
    DatasetInfo,
    serialize,
    shard_name,
)
from data_pipeline.vocabulary import Vocabulary

MAX_WORDS = 18
_CHUNK = 16


def build(
    raw: RawData,
    output_dir: str | os.PathLike,
    *,
    dataset: str,
    image_size: int = 256,
    num_shards: int = 8,
    vocabulary: Vocabulary | None = None,
    workers: int = 1,
    seed: int = 0,
    progress: Callable[[int], None] = lambda pictures: None,
) -> tuple[DatasetInfo, list[str]]:
    """Writes a data set that `dataset.Split` reads; the folder appears only once it is complete.

    The bytes written depend only on the raw data, the options and the seed, not on the number of
    workers.

    Args:
        raw: The examples.
        output_dir: The folder to write; it must be empty or not exist yet.
        dataset: The first part of the shards' names.
        image_size: The largest final resolution S; the smaller side of a stored picture has
            round(S * 76 / 64) pixels.
        num_shards: Files of the largest split; the others have proportionally fewer.
        vocabulary: The known words. By default all words of all captions, including those of the
            test split, as in AttnGAN.
        workers: Processes that convert pictures.
        seed: Decides the order of the records.
        progress: Called with the number of pictures stored since the last call.

    Returns:
        The description of the data set that was written, and warnings for the user.

    Raises:
        UserError: The folder is in the way, it cannot be written, or the examples have problems;
            the message lists all of them.
    """
    output_dir = free_output_dir(output_dir)
    if vocabulary is None:
        texts = (caption for example in raw.examples for caption in example.captions)
        vocabulary = Vocabulary.from_captions(texts)
    splits: dict[str, list[Example]] = {}
    for example in raw.examples:
        splits.setdefault(example.split, []).append(example)
    problems = Problems()
    captions, warnings = _encode(raw.examples, vocabulary, problems)
    problems.raise_if_any(output_dir)

    longest = max(len(ids) for known in captions.values() for _, ids in known)
    shards = _shards(splits, num_shards, seed)
    info = DatasetInfo(
        dataset=dataset,
        stored_size=size_to_crop(image_size),
        captions_per_image=raw.captions_per_image,
        max_words=min(longest, MAX_WORDS),
        vocabulary={
            "file": VOCABULARY_FILE,
            "size": len(vocabulary),
            "sha256": vocabulary.sha256,
        },
        splits={
            split: {
                "images": len(examples),
                "classes": len({example.class_id for example in examples}),
                "shards": len(shards[split]),
            }
            for split, examples in splits.items()
        },
        classes=raw.classes,
        source=raw.source,
    )
    with appearing(output_dir) as folder:
        try:
            _write_shards(folder, info, shards, captions, workers, progress, problems)
        except tf.errors.OpError as error:  # A full disk, say.
            raise UserError(f"cannot write {output_dir}: {error.message}") from None
        problems.raise_if_any(output_dir)
        vocabulary.save(folder / VOCABULARY_FILE)
        info.save(folder)
    return info, warnings


def free_output_dir(output_dir: str | os.PathLike) -> Path:
    """`output_dir` as an absolute path.

    Raises:
        UserError: It is a file, a mount point or a folder that is not empty; the message says what
            the folder holds.
    """
    path = Path(output_dir).resolve()
    if not path.exists():
        return path
    if not path.is_dir():
        raise UserError(f"output_dir {path} is a file; name a folder")
    if os.path.ismount(path):  # The finished folder cannot replace it.
        raise UserError(f"output_dir {path} is a mount point; name a folder in it")
    names = sorted(entry.name for entry in path.iterdir())
    if not names:
        return path
    if INFO_FILE not in names:
        raise UserError(
            f"output_dir {path} is not empty (it holds {names[0]}); name a new or empty folder"
        )
    try:
        info = DatasetInfo.load(path)
        counts = ", ".join(f"{value['images']} {key}" for key, value in info.splits.items())
        what = f"the data set {info.dataset!r} ({counts} pictures, {info.stored_size} px)"
    except UserError:
        what = "a data set"
    raise UserError(f"output_dir {path} already holds {what}; remove it, or name another folder")


def _encode(
    examples: Iterable[Example], vocabulary: Vocabulary, problems: Problems
) -> tuple[dict[str, list[tuple[str, list[int]]]], list[str]]:
    """The captions that have known words, with their ids, by example name; and warnings."""
    captions = {}
    unknown: Counter[str] = Counter()
    dropped = 0
    for example in examples:
        known = []
        for caption in example.captions:
            ids, strangers = vocabulary.encode(caption)
            unknown.update(strangers)
            if ids:
                known.append((caption, ids))
        dropped += len(example.captions) - len(known)
        if not known:
            reason = "no caption has a single word of the vocabulary"
            problems.add("pictures without captions", example.name, reason)
        captions[example.name] = known
    warnings = []
    if unknown:
        common = ", ".join(word for word, _ in unknown.most_common(5))
        warnings.append(
            f"{unknown.total()} words were left out: {len(unknown)} different ones are not in the "
            f"vocabulary ({common}{', ...' * (len(unknown) > 5)})"
        )
    if dropped:
        warnings.append(f"{dropped} captions were left out: none of their words is known")
    return captions, warnings


def _shards(
    splits: dict[str, list[Example]], num_shards: int, seed: int
) -> dict[str, list[list[Example]]]:
    """The examples of each split in random order, dealt to its shards."""
    largest = max(len(examples) for examples in splits.values())
    shards = {}
    for number, (split, examples) in enumerate(splits.items()):
        order = np.random.default_rng([seed, number]).permutation(len(examples))
        count = max(1, min(round(num_shards * len(examples) / largest), len(examples)))
        shards[split] = [[examples[i] for i in part] for part in np.array_split(order, count)]
    return shards


def _write_shards(folder, info, shards, captions, workers, progress, problems):
    """Writes all records; notes a problem for each picture that cannot be stored."""
    examples = (example for parts in shards.values() for part in parts for example in part)
    tasks = [(example.image_path, example.box, info.stored_size) for example in examples]
    with _converted(tasks, workers) as converted:
        for split, parts in shards.items():
            for number, part in enumerate(parts):
                path = folder / shard_name(info.dataset, split, number, len(parts))
                with tf.io.TFRecordWriter(str(path)) as writer:
                    for example in part:
                        jpeg, kind, reason = next(converted)
                        if jpeg is None:
                            problems.add(kind, example.image_path, reason)
                        else:
                            writer.write(_record(example, jpeg, captions[example.name]))
                        progress(1)
                write_index(path)


def _record(example, jpeg, captions):
    return serialize(
        image=jpeg,
        class_id=example.class_id,
        name=example.name,
        captions=[caption for caption, _ in captions],
        tokens=[ids for _, ids in captions],
        attributes=example.attributes,
    )


@contextlib.contextmanager
def _converted(tasks, workers):
    """An iterator over the stored pictures, in the order of `tasks`."""
    if workers <= 1:
        yield map(pictures.convert, tasks)
        return
    with process_pool(workers) as pool:
        yield pool.map(pictures.convert, tasks, chunksize=_CHUNK)
