"""Makes one shard of its examples, here or on another machine, and knows those already made.

A shard that is made has a file beside it with a key: the hash of all that decides its bytes. An
earlier run that was interrupted has left such shards; those whose key is right are not made again.
"""

import dataclasses
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import PIL
import tensorflow as tf

from data_pipeline.records import index_file, write_index
from data_pipeline.sources.source import Example
from data_pipeline.support.files import write_text, writing_whole
from data_pipeline.support.parts import FilePart
from data_pipeline.support.version import VERSION
from data_pipeline.text.vocabulary import Vocabulary
from data_pipeline.tfrecord import serialize

# JPEG bytes, "" and ""; or None, the kind of a problem and the reason: see `pictures.convert`.
Converted = tuple[bytes | None, str, str]


@dataclasses.dataclass(frozen=True)
class Made:
    """What is in a shard.

    Attributes:
        classes: Records of each class id.
        bad: Kind, place and reason of each picture that could not be stored.
    """

    classes: Counter[int]
    bad: list[tuple[str, str, str]]


@dataclasses.dataclass(frozen=True)
class Shard:
    """A shard that is to be made.

    Attributes:
        path: The file, of a name with `.tfrecord-` in it.
        vocabulary: The known words.
        stored_size: See `pictures.stored_jpeg`.
    """

    path: Path
    vocabulary: Vocabulary
    stored_size: int

    def make(self, examples: Iterable[tuple[Example, int, Converted]]) -> None:
        """Writes the shard of its examples, each with class id and converted picture."""
        classes, bad, key = Counter(), [], self._new_key()
        with writing_whole(self.path) as partial, tf.io.TFRecordWriter(str(partial)) as writer:
            for example, class_id, (jpeg, kind, reason) in examples:
                key.update(_identity(example, class_id))
                if jpeg is None:
                    bad.append((kind, str(example.picture), reason))
                else:
                    writer.write(self._record(example, class_id, jpeg))
                    classes[class_id] += 1
        if classes:
            write_index(self.path)
        content = {"key": key.hexdigest(), "classes": classes, "bad": bad}
        write_text(self._made_file, json.dumps(content))

    def made(self) -> Made:
        """What is in the shard, which is made."""
        content = json.loads(self._made_file.read_bytes())
        classes = Counter({int(number): count for number, count in content["classes"].items()})
        return Made(classes, [tuple(entry) for entry in content["bad"]])

    def is_made(self, examples: Iterable[tuple[Example, int]]) -> bool:
        """Whether it is there, of these examples with their class ids; if of others, removes it."""
        if not self._made_file.exists():
            return False
        key = self._new_key()
        for example, class_id in examples:
            key.update(_identity(example, class_id))
        content = json.loads(self._made_file.read_bytes())
        # A run that was killed while it moved its shards has left less.
        files = [self.path, index_file(self.path)] if content["classes"] else []
        if content["key"] == key.hexdigest() and all(file.exists() for file in files):
            return True
        self._made_file.unlink()
        return False

    def move(self, path: Path) -> None:
        """Moves the shard and its index."""
        index_file(self.path).rename(index_file(path))
        self.path.rename(path)

    @property
    def _made_file(self):
        return self.path.with_name(self.path.name.replace(".tfrecord-", ".made-"))

    def _new_key(self):
        parts = (VERSION, PIL.__version__, self.stored_size, self.vocabulary.sha256)
        return hashlib.blake2b(repr(parts).encode())

    def _record(self, example, class_id, jpeg):
        captions = [(caption, self.vocabulary.encode(caption)[0]) for caption in example.captions]
        captions = [(caption, ids) for caption, ids in captions if ids]
        return serialize(
            image=jpeg,
            class_id=class_id,
            name=example.name,
            captions=[caption for caption, _ in captions],
            tokens=[ids for _, ids in captions],
            attributes=example.attributes,
        )


def any_made(folder: Path) -> bool:
    """Whether a folder has a shard that is made."""
    return any(folder.glob("*.made-*"))


def _identity(example, class_id):
    """Bytes that are the same if an example gives the same record."""
    what = (example.name, example.captions, example.box, example.attributes, class_id)
    return repr((what, _version(example.picture))).encode(errors="surrogatepass")


def _version(picture):
    """What is different if a picture may have changed."""
    place = None
    if isinstance(picture, FilePart):
        if picture.digest:
            return picture.digest
        picture, place = picture.path, (picture.offset, picture.size)
    try:
        status = os.stat(picture)
    except OSError:
        return None
    return os.path.abspath(picture), status.st_size, status.st_mtime_ns, place
