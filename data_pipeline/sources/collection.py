"""The examples of a source, kept in a file, so that memory holds a few numbers of each picture."""

import dataclasses
import hashlib
import itertools
import pickle
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from data_pipeline.sources.source import Example, Report, Source, is_name
from data_pipeline.support.errors import UserError
from data_pipeline.support.parts import FilePart

SPLITS = ("train", "test", "validation")
_NO_SPLIT = len(SPLITS)
_OWN_CLASS = -1
_HELD_OUT = 2  # The seed's random stream; the builder orders the records with the splits' numbers.


class Collection:
    """Examples in a file, by number.

    Args:
        path: The file to write. Pictures that are given as bytes go to a second one beside it.

    Attributes:
        splits: The numbers of the examples of each split, in order; see `divide`.
        class_ids: Class ids by example, int64; see `divide`.
        classes: Names of the classes by id; see `divide`.
        captions_per_image: Captions of the example that has most.
    """

    def __init__(self, path: Path):
        self._path = path
        self._examples = open(path, "w+b")  # noqa: SIM115 (closed by close)
        self._pictures = None
        self._begins = array("q", [0])
        self._splits = array("b")
        self._own_classes = array("q")
        self._names = array("Q")
        self._class_numbers: dict[str, int] = {}
        self.splits: dict[str, np.ndarray] = {}
        self.class_ids = np.empty(0, np.int64)
        self.classes: list[str] = []
        self.captions_per_image = 0

    def __enter__(self) -> "Collection":
        return self

    def __exit__(self, *exception) -> None:
        self._examples.close()
        if self._pictures:
            self._pictures.close()

    def __len__(self) -> int:
        return len(self._splits)

    def __getitem__(self, number: int) -> Example:
        self._examples.seek(self._begins[number])
        return pickle.loads(self._examples.read(self._begins[number + 1] - self._begins[number]))

    def __iter__(self) -> Iterator[Example]:
        """The examples of all splits, in the source's order."""
        left = np.zeros(len(self), bool)
        for numbers in self.splits.values():
            left[numbers] = True
        return (self[number] for number in np.flatnonzero(left).tolist())

    def fill(
        self,
        source: Source,
        report: Report,
        validation: float = 0.0,
        seed: int = 0,
        readable: Callable[[Example], bool] = lambda example: True,
    ) -> None:
        """Reads all examples of a source, and divides them.

        Args:
            source: The source.
            report: Gets the problems, notes and hashes of the source.
            validation: See `divide`.
            seed: See `divide`.
            readable: See `divide`.

        Raises:
            UserError: The source cannot be read, or holds no picture.
        """
        for example in source.examples(report):
            self.add(example, report)
        if not len(self) and not report:
            raise UserError(f"{source.where}: no pictures with captions")
        self.divide(report, validation, seed, readable)

    def add(self, example: Example, report: Report) -> None:
        """Keeps an example; one without captions is left out, for the source has told why."""
        if not example.captions:
            return
        if not is_name(example.name + (example.class_name or "")):
            report.add("names that are not UTF-8", ascii(example.name), "rename the file")
            return
        if isinstance(example.picture, bytes):
            example = dataclasses.replace(example, picture=self._store(example))
        self._begins.append(self._begins[-1] + self._examples.write(pickle.dumps(example)))
        self._splits.append(SPLITS.index(example.split) if example.split else _NO_SPLIT)
        number = _OWN_CLASS
        if example.class_name is not None:
            number = self._class_numbers.setdefault(example.class_name, len(self._class_numbers))
        self._own_classes.append(number)
        digest = hashlib.blake2b(example.name.casefold().encode(), digest_size=8).digest()
        self._names.append(int.from_bytes(digest, "little"))
        self.captions_per_image = max(self.captions_per_image, len(example.captions))

    def divide(
        self,
        report: Report,
        validation: float,
        seed: int,
        readable: Callable[[Example], bool],
    ) -> None:
        """Numbers the classes, divides the examples among the splits and compares their names.

        Where there is no test split, the validation split takes its place, or else a share of the
        train split: whole classes, if there is more than one.

        Args:
            report: Gets an entry for each name that an earlier picture has, too.
            validation: The share.
            seed: Decides which classes or pictures are held out.
            readable: Whether a picture can be stored; of those held out, at least one can.
        """
        self._examples.flush()
        if self._pictures:
            self._pictures.flush()
        kept = np.ones(len(self), bool)
        kept[self._doubles(report)] = False
        self._number_classes(report.classes, kept)
        splits = np.frombuffer(self._splits, np.int8)
        found = {name: np.flatnonzero(kept & (splits == code)) for code, name in enumerate(SPLITS)}
        rest = np.flatnonzero(kept & (splits == _NO_SPLIT))
        if len(rest):
            found["train"] = np.sort(np.concatenate([found["train"], rest]))
        if not len(found["test"]):
            found["test"], found["validation"] = found["validation"], found["test"]
        if not len(found["test"]) and validation and len(found["train"]) > 1:
            self._hold_out(found, validation, seed, readable, report)
        if not len(found["test"]):
            report.notes.append("there is no test split, which training and measuring need")
        self.splits = {name: numbers for name, numbers in found.items() if len(numbers)}

    def _store(self, example):
        if self._pictures is None:
            path = self._path.with_name(f"{self._path.name}.pictures")
            self._pictures = open(path, "wb")  # noqa: SIM115
        offset = self._pictures.tell()
        size = self._pictures.write(example.picture)
        digest = hashlib.blake2b(example.picture).hexdigest()
        return FilePart(Path(self._pictures.name), offset, size, example.name, digest)

    def _doubles(self, report):
        """The numbers of the examples whose name has been given before, but for case."""
        names = np.frombuffer(self._names, np.uint64)
        order = np.argsort(names, kind="stable")
        same = np.flatnonzero(names[order[1:]] == names[order[:-1]])
        doubles = []
        for place in same.tolist():
            first, second = self[order[place]], self[order[place + 1]]
            if first.name == second.name:
                reason = f"{first.picture} and {second.picture}"
                report.add("pictures of the same name", second.name, reason)
            elif first.name.casefold() == second.name.casefold():
                reason = f"{first.name} and {second.name}; rename one"
                report.add("names equal but for case", second.picture, reason)
            else:  # pragma: no cover (two names in 2 ** 64 with one hash)
                continue
            doubles.append(int(order[place + 1]))
        return doubles

    def _number_classes(self, first, kept):
        """Named classes come first, then the pictures that are a class of their own."""
        named = [*first, *sorted(set(self._class_numbers) - set(first))]
        place = {name: number for number, name in enumerate(named)}
        ids = np.array([place[name] for name in self._class_numbers], np.int64)
        own = np.array(self._own_classes, np.int64)
        alone = np.flatnonzero((own == _OWN_CLASS) & kept)
        self.class_ids = ids[own] if len(ids) else own
        self.class_ids[alone] = len(named) + np.arange(len(alone))
        self.classes = named + [self[number].name for number in alone.tolist()]

    def _hold_out(self, found, share, seed, readable, report):
        train = found["train"]
        units = self.class_ids[train]
        if len(np.unique(units)) == 1:
            units = train
        ids, sizes = np.unique(units, return_counts=True)
        order = np.random.default_rng([seed, _HELD_OUT]).permutation(len(ids))
        wanted, count, held = share * len(train), 0, []
        for place in order.tolist():
            if abs(count + sizes[place] - wanted) < abs(count - wanted):
                held.append(place)
                count += int(sizes[place])
        if not held:
            held = [order[np.argmin(sizes[order])]]

        def any_readable(place):
            return any(readable(self[number]) for number in train[units == ids[place]].tolist())

        if not any(map(any_readable, held)):
            others = (place for place in order.tolist() if place not in held)
            held += itertools.islice(filter(any_readable, others), 1)
        test = np.isin(units, ids[held])
        found["train"], found["test"] = train[~test], train[test]
        what = f", all of {len(held)} of {len(ids)} classes" * (len(ids) < len(train))
        report.notes.append(
            f"no test split in the data: {test.sum()} of {len(train)} pictures are held out{what}"
        )
