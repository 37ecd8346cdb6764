"""Makes the shards of a data set: in this process and a pool, or on a cluster by Apache Beam."""

import collections
import contextlib
import dataclasses
import itertools
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from data_pipeline import pictures
from data_pipeline.shards import Converted, Shard
from data_pipeline.sources.collection import Collection
from data_pipeline.sources.source import Example, Report
from data_pipeline.support import beam
from data_pipeline.support.parts import FilePart
from data_pipeline.support.pool import process_pool
from data_pipeline.text.vocabulary import Vocabulary
from data_pipeline.tfrecord import VOCABULARY_FILE, shard_name

_CHUNK = 16  # Pictures that a process converts at a time.
_AHEAD = 4  # Chunks for each process, done or waiting, that memory holds.


@dataclasses.dataclass(frozen=True)
class Planned:
    """A shard that is to be made, and of what.

    Attributes:
        split: The split's name.
        shard: The shard.
        numbers: Numbers of its examples in the collection, int64.
    """

    split: str
    shard: Shard
    numbers: np.ndarray


def plan(
    splits: dict[str, np.ndarray],
    num_shards: int,
    seed: int,
    new_shard: Callable[[str], Shard],
) -> list[Planned]:
    """Deals the examples of each split, in random order, to its shards.

    Args:
        splits: The numbers of the examples of each split.
        num_shards: Shards of the largest split; the others have proportionally fewer.
        seed: Decides the order.
        new_shard: Gives a shard by its file's name.
    """
    largest = max(map(len, splits.values()))
    planned = []
    for number, (split, examples) in enumerate(splits.items()):
        order = np.random.default_rng([seed, number]).permutation(len(examples))
        count = max(1, min(round(num_shards * len(examples) / largest), len(examples)))
        for index, part in enumerate(np.array_split(order, count)):
            shard = new_shard(shard_name("part", split, index, count))
            planned.append(Planned(split, shard, examples[part]))
    return planned


def make_here(
    planned: Sequence[Planned],
    examples: Collection,
    workers: int,
    progress: Callable[[int], None],
) -> None:
    """Makes shards in this process; a pool of `workers` processes converts the pictures."""
    numbers = itertools.chain.from_iterable(row.numbers.tolist() for row in planned)
    size = planned[0].shard.stored_size if planned else None
    with converted(examples, numbers, size, workers) as pairs:
        for row in planned:
            class_ids = examples.class_ids[row.numbers].tolist()
            row.shard.make(_of_shard(pairs, class_ids, progress))


def _of_shard(pairs, class_ids, progress):
    for class_id, (example, result) in zip(class_ids, pairs, strict=False):
        yield example, class_id, result
        progress(1)


def make_on_beam(
    planned: Sequence[Planned],
    examples: Collection,
    workers: int,
    *,
    runner: str,
    options: Sequence[str],
) -> None:
    """Makes shards by a Beam pipeline; its workers must see the pictures and the shards' folder.

    Args:
        planned: The shards.
        examples: The examples.
        workers: See `beam.run`.
        runner: See `beam.run`.
        options: See `beam.run`.

    Raises:
        UserError: See `beam.run`.
    """
    if not planned:
        return
    folder = planned[0].shard.path.parent
    planned[0].shard.vocabulary.save(folder / VOCABULARY_FILE)
    tasks = [str(_write_task(row, examples)) for row in planned]

    def build(pipeline):
        import apache_beam

        _ = (
            pipeline
            | "shards" >> apache_beam.Create(tasks)
            | "to all workers" >> apache_beam.Reshuffle()
            | "make" >> apache_beam.Map(_make_task)
        )

    beam.run(build, runner, options, workers)


def _write_task(row, examples):
    """Writes the examples of a shard into a file, so that the pipeline itself stays small."""
    path = row.shard.path.with_name(f"{row.shard.path.name}.task")
    with path.open("wb") as file:
        pickle.dump((row.shard.stored_size, len(row.numbers)), file)
        for example, class_id in labelled(examples, row.numbers):
            picture = example.picture
            if isinstance(picture, FilePart):
                picture = dataclasses.replace(picture, path=picture.path.absolute())
            else:
                picture = Path(picture).absolute()
            pickle.dump((dataclasses.replace(example, picture=picture), class_id), file)
    return path


def _make_task(task: str) -> None:
    path = Path(task)
    vocabulary = Vocabulary.load(path.with_name(VOCABULARY_FILE))
    with path.open("rb") as file:
        stored_size, count = pickle.load(file)
        examples = (pickle.load(file) for _ in range(count))
        Shard(path.with_suffix(""), vocabulary, stored_size).make(
            (example, class_id, pictures.convert(_task(example, stored_size)))
            for example, class_id in examples
        )


def collect(
    planned: Sequence[Planned], folder: Path, dataset: str, report: Report
) -> dict[str, dict[str, int]]:
    """Moves the shards, which are made, to their names in the data set.

    Args:
        planned: All shards.
        folder: The data set's folder.
        dataset: The first part of the shards' names.
        report: Gets an entry for each picture that could not be stored.

    Returns:
        The description of each split that has records.
    """
    splits = {}
    for split, rows in itertools.groupby(planned, key=lambda row: row.split):
        classes, full = collections.Counter(), []
        for row in rows:
            made = row.shard.made()
            for problem in made.bad:
                report.add(*problem)
            classes += made.classes
            if made.classes:  # Not of bad pictures only.
                full.append(row.shard)
        for number, shard in enumerate(full):
            shard.move(folder / shard_name(dataset, split, number, len(full)))
        if full:
            splits[split] = {
                "images": classes.total(),
                "classes": len(classes),
                "shards": len(full),
            }
    return splits


def labelled(examples: Collection, numbers: np.ndarray) -> Iterator[tuple[Example, int]]:
    """The examples of these numbers, each with its class id."""
    for number in numbers.tolist():
        yield examples[number], int(examples.class_ids[number])


@contextlib.contextmanager
def converted(
    examples: Collection, numbers: Iterable[int], size: int | None, workers: int
) -> Iterator[Iterator[tuple[Example, Converted]]]:
    """An iterator over the examples of these numbers and their converted pictures, in order.

    Args:
        examples: The `Collection`.
        numbers: The numbers.
        size: The stored size; None only checks the pictures.
        workers: Processes.
    """
    chosen = (examples[number] for number in numbers)
    if workers <= 1:
        yield ((example, pictures.convert(_task(example, size))) for example in chosen)
        return
    with process_pool(workers) as pool:
        yield _in_order(pool, chosen, size, workers)


def _in_order(pool, examples, size, workers):
    """Keeps the processes busy without reading far ahead."""
    waiting = collections.deque()
    while True:
        while len(waiting) < _AHEAD * workers and (
            chunk := list(itertools.islice(examples, _CHUNK))
        ):
            tasks = [_task(example, size) for example in chunk]
            waiting.append((chunk, pool.submit(_convert_all, tasks)))
        if not waiting:
            return
        chunk, future = waiting.popleft()
        yield from zip(chunk, future.result(), strict=True)


def _convert_all(tasks):
    return [pictures.convert(task) for task in tasks]


def _task(example, size):
    return example.picture, example.box, size
