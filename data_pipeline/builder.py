"""Builds a data set from raw data: TFRecord shards of JPEG pictures and encoded captions."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf

from data_pipeline import making, pictures, shards
from data_pipeline.pixels import size_to_crop
from data_pipeline.shards import Shard
from data_pipeline.sources.collection import Collection
from data_pipeline.sources.source import Report, Source
from data_pipeline.support.errors import StoppedError, UserError
from data_pipeline.support.scratch import appearing, kept_if_stopped
from data_pipeline.text.vocabulary import Vocabulary
from data_pipeline.tfrecord import INFO_FILE, VOCABULARY_FILE, DatasetInfo

MAX_WORDS = 18


def build(
    source: Source,
    output_dir: str | os.PathLike,
    *,
    dataset: str,
    image_size: int = 256,
    num_shards: int = 8,
    vocabulary: Vocabulary | None = None,
    learn: Callable[[Iterable[str]], Vocabulary] = Vocabulary.from_captions,
    validation: float = 0.05,
    skip_bad: bool = False,
    workers: int = 1,
    make_elsewhere: Callable[..., None] | None = None,
    seed: int = 0,
    started: Callable[[int], None] = lambda total: None,
    progress: Callable[[int], None] = lambda pictures: None,
) -> tuple[DatasetInfo, list[str]]:
    """Writes a data set that `dataset.Split` reads; the folder appears only once it is complete.

    The bytes written depend only on the raw data, the options and the seed, not on who makes the
    shards. Where the process is ended in between, the shards that are finished stay in a hidden
    folder beside the output, and the next call does not make them again.

    Args:
        source: The raw data.
        output_dir: The folder to write; it must be empty or not exist yet.
        dataset: The first part of the shards' names.
        image_size: The largest final resolution S; the smaller side of a stored picture has
            round(S * 76 / 64) pixels.
        num_shards: Files of the largest split; the others have proportionally fewer.
        vocabulary: The known words. By default what `learn` makes of all captions, including those
            of the test split, as in AttnGAN.
        learn: Makes a vocabulary of captions; by default of all their words.
        validation: Share of the train split that becomes the test split, where the source has
            none: whole classes, if there is more than one.
        skip_bad: Whether bad pictures and captions are left out and counted, not refused.
        workers: Processes that convert pictures.
        make_elsewhere: Makes shards in place of this process: `making.make_on_beam` with a runner.
        seed: Decides the order of the records, and which of them are held out.
        started: Called with the number of pictures that are to be converted, once it is known.
        progress: Called with the number of pictures stored since the last call.

    Returns:
        The description of the data set that was written, and notes and warnings for the user.

    Raises:
        UserError: The folder is in the way, it cannot be written, or the raw data has problems;
            the message lists all of them.
    """
    output_dir = free_output_dir(output_dir)
    raw = Path(source.where).resolve()
    if raw.is_dir() and output_dir.is_relative_to(raw):
        raise UserError(f"output_dir {output_dir} lies in the raw data, {raw}; name another folder")
    with appearing(output_dir) as folder:
        spool = folder.with_name(f"{output_dir.name}.examples")
        report = Report()
        with Collection(spool) as examples:
            examples.fill(source, report, validation, seed, _readable)
            if report.fatal:
                report.raise_if_any(source.where)
            if vocabulary is None:
                texts = (caption for example in examples for caption in example.captions)
                vocabulary = learn(texts)
            longest, without, warnings = _encode(examples, vocabulary, report)
            kept = {split: own[~np.isin(own, without)] for split, own in examples.splits.items()}
            kept = {split: own for split, own in kept.items() if len(own)}
            if report and not skip_bad:
                started(sum(map(len, kept.values())))
                _check_pictures(examples, kept, workers, progress, report)
                report.raise_if_any(source.where)
            if not kept:
                raise _nothing_left(source.where, report)
            size = size_to_crop(image_size)
            parts = output_dir.with_name(f".{output_dir.name}.shards")
            planned = making.plan(
                kept, num_shards, seed, lambda name: Shard(parts / name, vocabulary, size)
            )
            with kept_if_stopped(parts, shards.any_made):
                left = [
                    row
                    for row in planned
                    if not row.shard.is_made(making.labelled(examples, row.numbers))
                ]
                started(sum(len(row.numbers) for row in left))
                try:
                    if make_elsewhere:
                        make_elsewhere(left, examples, workers)
                    else:
                        making.make_here(left, examples, workers, progress)
                    splits = making.collect(planned, folder, dataset, report)
                except tf.errors.OpError as error:  # A full disk, say.
                    raise StoppedError(f"cannot write {output_dir}: {error.message}") from None
                if not skip_bad:
                    report.raise_if_any(source.where)
                if len(splits) < len(kept):
                    raise _nothing_left(source.where, report)
            info = DatasetInfo(
                dataset=dataset,
                stored_size=size,
                captions_per_image=examples.captions_per_image,
                max_words=min(longest, MAX_WORDS),
                vocabulary={
                    "file": VOCABULARY_FILE,
                    "size": len(vocabulary),
                    "sha256": vocabulary.sha256,
                    "tokenizer": vocabulary.tokenizer,
                },
                splits=splits,
                classes=examples.classes,
                source=report.hashes,
                skipped=dict(report.counts),
            )
        vocabulary.save(folder / VOCABULARY_FILE)
        info.save(folder)
    if report:
        count = report.counts.total()
        warnings.append(
            "\n".join([f"bad pictures and captions left out: {count}", *report.lines()])
        )
    return info, [*report.notes, *warnings]


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


def _readable(example):
    return pictures.convert((example.picture, example.box, None))[0] is not None


def _nothing_left(where, report):
    lines = [f"{where}: no picture is left of one of its splits", *report.lines()]
    return UserError("\n".join(lines))


def _encode(
    examples: Collection, vocabulary: Vocabulary, report: Report
) -> tuple[int, np.ndarray, list[str]]:
    """Encodes all captions.

    Returns:
        The words of the longest caption, the numbers of the examples without a caption of known
        words, and warnings.
    """
    unknown: Counter[str] = Counter()
    dropped, longest, without = 0, 0, []
    for split in examples.splits.values():
        for number in split.tolist():
            example = examples[number]
            known = 0
            for caption in example.captions:
                ids, strangers = vocabulary.encode(caption)
                unknown.update(strangers)
                known += bool(ids)
                longest = max(longest, len(ids))
            dropped += len(example.captions) - known
            if not known:
                reason = "no caption has a single word of the vocabulary"
                report.add("pictures without captions", example.name, reason)
                without.append(number)
    warnings = []
    if unknown:
        common = ", ".join(word for word, _ in unknown.most_common(5))
        warnings.append(
            f"{unknown.total()} words were left out: {len(unknown)} different ones are not in the "
            f"vocabulary ({common}{', ...' * (len(unknown) > 5)})"
        )
    if dropped:
        warnings.append(f"{dropped} captions were left out: none of their words is known")
    return longest, np.array(without, np.int64), warnings


def _check_pictures(examples, splits, workers, progress, report):
    """Reports the pictures that cannot be stored; stores none."""
    numbers = (number for own in splits.values() for number in own.tolist())
    with making.converted(examples, numbers, None, workers) as pairs:
        for example, (jpeg, kind, reason) in pairs:
            if jpeg is None:
                report.add(kind, example.picture, reason)
            progress(1)
