"""The format of a built data set: its records, its file names and `dataset_info.json`."""

import dataclasses
import json
import os
import reprlib
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from data_pipeline.support.errors import UserError
from data_pipeline.support.files import write_text
from data_pipeline.support.json_text import parse_json
from data_pipeline.text.vocabulary import Vocabulary, load

FORMAT_VERSION = 1
INFO_FILE = "dataset_info.json"
VOCABULARY_FILE = "vocabulary.txt"

# One image and its captions. `token_ids` holds the token ids of all captions, one after the other;
# caption i has token_counts[i] of them.
FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "class_id": tf.io.FixedLenFeature([], tf.int64),
    "name": tf.io.FixedLenFeature([], tf.string),
    "captions": tf.io.RaggedFeature(tf.string),
    "token_ids": tf.io.RaggedFeature(tf.int64),
    "token_counts": tf.io.RaggedFeature(tf.int64),
    "attributes": tf.io.FixedLenFeature([], tf.string),
}


def serialize(
    *,
    image: bytes,
    class_id: int,
    name: str,
    captions: Sequence[str],
    tokens: Sequence[Sequence[int]],
    attributes: str = "",
) -> bytes:
    """One record: a `tf.train.Example` as bytes.

    Args:
        image: The JPEG file's bytes.
        class_id: 0-based number of the class, over the whole data set.
        name: `"<class>/<file stem>"`.
        captions: The captions as text.
        tokens: The ids of each caption's words: one list per caption, no list empty.
        attributes: JSON text of the true attributes of the bird; empty if they are unknown.
    """
    values = {
        "image": [image],
        "class_id": [class_id],
        "name": [name.encode()],
        "captions": [caption.encode() for caption in captions],
        "token_ids": [token for caption in tokens for token in caption],
        "token_counts": [len(caption) for caption in tokens],
        "attributes": [attributes.encode()],
    }
    feature = {key: _feature(FEATURES[key].dtype, values[key]) for key in FEATURES}
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    return example.SerializeToString(deterministic=True)


def parse(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Parses a record of `serialize`, a string scalar, into dense tensors; for use in `tf.data`.

    Returns:
        `image` (JPEG bytes), `name` and `attributes`: string scalars; `class_id`: int64 scalar;
        `captions`: string `[C]`; `token_counts`: int64 `[C]`, the number of words of each caption;
        `token_ids`: int64 `[sum of token_counts]`, all captions' words one after the other.
    """
    return tf.io.parse_single_example(serialized, FEATURES)


def shard_name(dataset: str, split: str, index: int, count: int) -> str:
    """The file name of shard `index` of `count`: `<dataset>-<split>.tfrecord-00000-of-00064`."""
    return f"{dataset}-{split}.tfrecord-{index:05d}-of-{count:05d}"


def shard_paths(data_dir: str | os.PathLike, dataset: str, split: str) -> list[Path]:
    """The paths of a split's shards, in order.

    Raises:
        UserError: if there are no shards, one is missing, or they are of two builds.
    """
    found = {path.name for path in Path(data_dir).glob(f"{dataset}-{split}.tfrecord-*-of-*")}
    counts = {name.rsplit("-of-", 1)[1] for name in found}
    if len(counts) != 1:
        problem = "shards of two builds" if counts else "no shards"
        raise UserError(f"{data_dir}: {problem} of {dataset}-{split}; build the data set again")
    count = int(counts.pop())
    names = [shard_name(dataset, split, index, count) for index in range(count)]
    missing = [name for name in names if name not in found]
    if missing:
        raise UserError(
            f"{data_dir}: {len(missing)} of {count} shards are missing, the first is {missing[0]}; "
            "copy or build the data set again"
        )
    return [Path(data_dir) / name for name in names]


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """The description of a built data set, kept in `dataset_info.json`.

    Attributes:
        dataset: The first part of its shards' names.
        stored_size: Smaller side of every stored image, in pixels.
        captions_per_image: Captions of each image in the source. A record may hold fewer: captions
            without any known word are left out.
        max_words: Words of the longest caption, at most 18.
        vocabulary: `{"file", "size", "sha256", "tokenizer"}`; older data sets, which lack the last,
            have words.
        splits: `{"train": {"images", "classes", "shards"}, "test": ...}`, all counts.
        classes: Names of the classes of all splits, by class id.
        source: SHA-256 of the source's metadata files by file name.
        skipped: How many bad pictures and captions were left out, by reason.
    """

    dataset: str
    stored_size: int
    captions_per_image: int
    max_words: int
    vocabulary: dict
    splits: dict[str, dict[str, int]]
    classes: list[str]
    source: dict[str, str]
    format_version: int = FORMAT_VERSION
    skipped: dict[str, int] = dataclasses.field(default_factory=dict)

    @classmethod
    def load(cls, data_dir: str | os.PathLike) -> "DatasetInfo":
        """Reads and checks the description of the data set in `data_dir`.

        Raises:
            UserError: if `data_dir` holds no built data set, one of another format, or a vocabulary
                other than the one it was built with.
        """
        path = Path(data_dir) / INFO_FILE
        try:
            content = parse_json(path.read_text(encoding="utf-8"))
            version = content["format_version"]
        except (OSError, ValueError, TypeError, KeyError):
            raise UserError(
                f"{data_dir}: not a built data set (no valid {INFO_FILE}); make one with "
                "python -m data_pipeline.build_tfrecords"
            ) from None
        if version != FORMAT_VERSION:
            raise UserError(
                f"{path}: format version {version}, this program reads {FORMAT_VERSION}; "
                "build the data set again"
            )
        try:
            info = cls(**content)
            info._check()
        except (TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{path}: damaged ({error}); build the data set again") from None
        info.load_vocabulary(data_dir)
        return info

    def load_vocabulary(self, data_dir: str | os.PathLike) -> Vocabulary:
        """Reads the vocabulary of the data set in `data_dir`.

        Raises:
            UserError: It is not the one that the data set was built with.
        """
        path = Path(data_dir) / self.vocabulary["file"]
        vocabulary = load(path, self.vocabulary.get("tokenizer", Vocabulary.tokenizer))
        if vocabulary.sha256 != self.vocabulary["sha256"]:
            raise UserError(
                f"{path}: not the vocabulary that the data set was built with (its "
                "hash differs); put the old file back or build the data set again"
            )
        return vocabulary

    def _check(self):
        """Raises a ValueError unless all fields that programs compute with are of their types."""
        kinds = {"file": str, "size": int, "sha256": str}
        fields = {f"vocabulary.{name}": (self.vocabulary, name, kinds[name]) for name in kinds}
        if not isinstance(self.splits, dict):
            raise ValueError(f"splits is {reprlib.repr(self.splits)}")
        names = {"dataset": str, "stored_size": int, "classes": list}
        fields |= {name: (vars(self), name, kind) for name, kind in names.items()}
        for split, counts in self.splits.items():
            for name in ("images", "classes", "shards"):
                fields[f"splits.{split}.{name}"] = counts, name, int
        for field, (holder, name, kind) in fields.items():
            value = holder.get(name) if isinstance(holder, dict) else None
            if type(value) is not kind or (kind is int and value < 1):
                raise ValueError(f"{field} is {reprlib.repr(value)}")
        if Path(self.vocabulary["file"]).name != self.vocabulary["file"]:
            raise ValueError(f"vocabulary.file is {self.vocabulary['file']!r}, no file's name")

    def save(self, data_dir: str | os.PathLike) -> None:
        """Writes `dataset_info.json` into `data_dir`, whole or not at all."""
        content = dataclasses.asdict(self)
        if not self.skipped:  # Programs that do not know it read everything else.
            del content["skipped"]
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        write_text(Path(data_dir) / INFO_FILE, text)


def _feature(dtype, values):
    if dtype == tf.string:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
