"""Counts what a built data set holds."""

import dataclasses
import io
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf
from PIL import Image

from data_pipeline.dataset import Split
from data_pipeline.inspect import duplicates
from data_pipeline.support.errors import UserError
from data_pipeline.tfrecord import DatasetInfo, parse, shard_paths

SHOWN = 24  # Pictures of a split on the contact sheet.


@dataclasses.dataclass
class SplitSurvey:
    """What a split holds.

    Attributes:
        name: The split.
        pictures: Number of records.
        captions: Number of captions.
        words: How often each word occurs in them.
        unknown: How often each word that the vocabulary lacks occurs.
        caption_words: Number of captions by their number of words.
        class_sizes: Number of pictures by class id.
        sizes: Number of pictures by (width, height).
        names: Name of each record.
        contents: SHA-256 of each stored picture.
        fingerprints: See `duplicates.fingerprint`.
        shown: JPEG bytes, name and captions of some pictures, spread evenly.
    """

    name: str
    pictures: int = 0
    captions: int = 0
    words: Counter = dataclasses.field(default_factory=Counter)
    unknown: Counter = dataclasses.field(default_factory=Counter)
    caption_words: Counter = dataclasses.field(default_factory=Counter)
    class_sizes: Counter = dataclasses.field(default_factory=Counter)
    sizes: Counter = dataclasses.field(default_factory=Counter)
    names: list[str] = dataclasses.field(default_factory=list)
    contents: list[bytes] = dataclasses.field(default_factory=list)
    fingerprints: list[bytes] = dataclasses.field(default_factory=list)
    shown: list[tuple[bytes, str, list[str]]] = dataclasses.field(default_factory=list)


def survey(split: Split, name: str, progress: Callable[[], None]) -> SplitSurvey:
    """Reads a whole split.

    Args:
        split: The split.
        name: Its name.
        progress: Called after each record.

    Raises:
        UserError: A picture cannot be decoded.
    """
    found = SplitSurvey(name)
    every = max(len(split) // SHOWN, 1)
    for row, record in enumerate(split.examples()):
        own = record["name"].decode()
        texts = [caption.decode() for caption in record["captions"]]
        found.pictures += 1
        found.captions += len(texts)
        found.class_sizes[int(record["class_id"])] += 1
        for text in texts:
            words = split.vocabulary.tokenize(text)
            found.caption_words[len(words)] += 1
            found.words.update(words)
            found.unknown.update(word for word in words if word not in split.vocabulary.index)
        picture = _opened(record["image"], own)
        found.sizes[picture.size] += 1
        found.names.append(own)
        found.contents.append(duplicates.content_hash(record["image"]))
        found.fingerprints.append(duplicates.fingerprint(picture))
        if row % every == 0 and len(found.shown) < SHOWN:
            found.shown.append((record["image"], own, texts))
        progress()
    return found


def verify(data_dir: str | Path, info: DatasetInfo, progress: Callable[[], None]) -> None:
    """Reads every byte of the shards and compares their checksums; decodes every picture.

    Args:
        data_dir: The data set.
        info: Its description.
        progress: Called after each record.

    Raises:
        UserError: A record is damaged; the message names its file and number.
    """
    for split in info.splits:
        vocabulary = Split(data_dir, split).vocabulary
        for path in shard_paths(data_dir, info.dataset, split):
            for number, data in enumerate(_records(path)):
                where = f"{path}, record {number}"
                try:
                    record = {key: value.numpy() for key, value in parse(data).items()}
                except tf.errors.OpError as error:
                    raise UserError(f"{where} cannot be read: {_first_line(error)}") from error
                _opened(record["image"], where).load()
                ids = record["token_ids"]
                if sum(record["token_counts"]) != len(ids) or not all(
                    0 < token < len(vocabulary) for token in ids
                ):
                    raise UserError(f"{where} has words that are not in the vocabulary")
                progress()


def _records(path) -> Iterator[tf.Tensor]:
    records = iter(tf.data.TFRecordDataset(str(path)))
    while True:
        try:
            yield next(records)
        except StopIteration:
            return
        except tf.errors.OpError as error:
            raise UserError(
                f"{path} is damaged: {_first_line(error)}; copy or build the data set again"
            ) from error


def _opened(data, where):
    try:
        picture = Image.open(io.BytesIO(data), formats=["JPEG"])
        picture.load()
    except Exception as error:  # A damaged file can cause any error in its decoder.
        raise UserError(f"{where}: the picture cannot be decoded ({error})") from error
    return picture


def _first_line(error):
    return error.message.splitlines()[0]
