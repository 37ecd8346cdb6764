"""What is to be drawn: the captions with their ids, seeds and files, in groups."""

import dataclasses
import hashlib
import itertools
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_pipeline.sources.rows import SUFFIXES, columns_of, rows_of
from data_pipeline.sources.source import Report
from data_pipeline.sources.table import CAPTION_COLUMNS
from data_pipeline.support.errors import UserError
from data_pipeline.support.files import write_text, writing_whole
from data_pipeline.support.hashing import file_sha256
from data_pipeline.text.vocabulary import Vocabulary
from t2i_tf.models import captions, model_directory
from t2i_tf.models.names import picture_name

INDEX = "metadata.jsonl"
IN_A_FOLDER = 1000  # pictures
_PLAN, _JOB = ".plan", ".job.json"


@dataclasses.dataclass(frozen=True)
class Caption:
    """A caption that is to be drawn.

    Attributes:
        id: What the user calls it.
        text: The caption.
        where: The file and line.
    """

    id: str
    text: str
    where: str


def read_captions(
    path: Path, caption_column: str | None = None, id_column: str | None = None
) -> list[Caption]:
    """Reads a text file of one caption a line, or a table.

    Args:
        path: The file; its ending tells a table.
        caption_column: Column of the captions; by default the one of `caption`, `text` and their
            like that there is.
        id_column: Column of the ids; by default `id`, or else the captions are numbered from 0.

    Raises:
        UserError: The file cannot be read, or captions in it cannot; the message lists all.
    """
    if path.suffix.lower() not in SUFFIXES:
        if caption_column or id_column:
            raise UserError(f"{path}: only a table ({', '.join(SUFFIXES)}) has columns")
        lines = captions.read_file(path)
        return [Caption(str(i), text, f"{path}: caption {i}") for i, text in enumerate(lines)]
    there = columns_of(path)
    usual = [name for name in CAPTION_COLUMNS if name in there]
    if caption_column is None:
        if len(usual) != 1:
            raise UserError(
                f"{path}: name the captions by --caption_column (columns: {', '.join(there)})"
            )
        caption_column = usual[0]
    if id_column is None and "id" in there:
        id_column = "id"
    columns = [column for column in (caption_column, id_column) if column]
    for column in columns:
        if column not in there:
            raise UserError(f"{path}: no column {column!r} (columns: {', '.join(there)})")
    report, found = Report(), []
    for row in rows_of(path, columns, report):
        text = report.caption(row.values[caption_column], row.where)
        name = row.number if id_column is None else row.values[id_column]
        if text is not None:
            found.append(Caption(str(name), " ".join(text.split()), row.where))
    report.raise_if_any(path)
    if not found:
        raise UserError(f"{path}: the table has no row")
    return found


def newest_version(saved_model_dir: Path) -> Path:
    """The SavedModel itself, or the newest version in a folder of versions.

    Raises:
        UserError: There is none.
    """
    if (saved_model_dir / "saved_model.pb").is_file():
        return saved_model_dir
    found = [path.parent for path in saved_model_dir.glob("*/saved_model.pb")]
    versions = {int(path.name): path for path in found if re.fullmatch("[0-9]+", path.name)}
    if not versions:
        raise UserError(
            f"{saved_model_dir}: no SavedModel; make one with python -m export.saved_model"
        )
    return versions[max(versions)]


class Job:
    """The pictures that a folder is to hold.

    Args:
        model: The SavedModel's folder.
        texts: The captions.
        num_images: Pictures of each caption.
        seed: Seed of each caption's first picture; it goes up by 1 for each further one.
        batch_size: Pictures that are drawn together. Groups are always the same, because a batch
            of another size may round differently.

    Attributes:
        model: The SavedModel's folder.
        batch_size: Pictures that are drawn together.

    Raises:
        UserError: The model knows no word of some captions; the message lists them.
    """

    def __init__(
        self, model: Path, texts: Sequence[Caption], num_images: int, seed: int, batch_size: int
    ):
        self.model = model
        self.batch_size = batch_size
        self._texts, self._num_images, self._seed = texts, num_images, seed

    def __len__(self) -> int:
        return len(self._texts) * self._num_images

    def rows(self) -> Iterator[dict]:
        """The rows of the index, in order."""
        pairs = itertools.product(self._texts, range(self._num_images))
        for number, (caption, image) in enumerate(pairs):
            seed = self._seed + image
            name = picture_name(number, caption.text, seed)
            yield {
                "file_name": f"{number // IN_A_FOLDER:06d}/{name}.png",
                "text": caption.text,
                "id": caption.id,
                "seed": seed,
            }

    def check_words(self) -> list[str]:
        """Compares all captions with the model's vocabulary; returns warnings.

        Raises:
            UserError: The model knows no word of some captions; the message lists them.
        """
        vocabulary = Vocabulary.load(self.model / "assets" / model_directory.VOCABULARY)
        report, unknown = Report(), Counter()
        for caption in self._texts:
            ids, strangers = vocabulary.encode(caption.text)
            unknown.update(strangers)
            if not ids:
                reason = repr(caption.text[: captions.LONGEST_SHOWN])
                report.add("captions without a word that the model knows", caption.where, reason)
        report.raise_if_any(self.model)
        if not unknown:
            return []
        common = ", ".join(word for word, _ in unknown.most_common(5))
        return [
            f"{unknown.total()} words were left out: the model does not know {len(unknown)} "
            f"different ones ({common}{', ...' * (len(unknown) > 5)})"
        ]

    def claim(self, folder: Path) -> bool:
        """Makes the folder the job's, or finds that it is; returns whether all is drawn.

        Raises:
            UserError: It holds something else.
        """
        digest = self._digest()
        path = folder / _JOB
        if path.exists():
            if json.loads(path.read_bytes()) != {"sha256": digest}:
                raise UserError(
                    f"{folder} holds pictures of other captions, seeds or of another model; name "
                    "another folder"
                )
            return (folder / INDEX).exists()
        if any(folder.iterdir()):
            raise UserError(f"{folder} is not empty; name a new or empty folder")
        write_text(path, json.dumps({"sha256": digest}) + "\n")
        return False

    def plan(self, folder: Path) -> list[Path]:
        """Writes the rows of each folder of pictures into a file, and makes the folders.

        They are files, so that a pipeline of any number of captions stays small.
        """
        plan = folder / _PLAN
        plan.mkdir(exist_ok=True)
        paths, rows = [], self.rows()
        while chunk := list(itertools.islice(rows, IN_A_FOLDER)):
            (folder / f"{len(paths):06d}").mkdir(exist_ok=True)
            paths.append(plan / f"{len(paths):06d}.jsonl")
            write_text(paths[-1], "".join(map(_line, chunk)))
        return paths

    def finish(self, folder: Path) -> None:
        """Writes the index."""
        with writing_whole(folder / INDEX) as partial, partial.open("w", encoding="utf-8") as file:
            file.writelines(map(_line, self.rows()))
        shutil.rmtree(folder / _PLAN)

    def _digest(self):
        files = sorted(path for path in self.model.glob("variables/*") if path.is_file())
        model = file_sha256(self.model / "saved_model.pb", *files)
        digest = hashlib.sha256(f"{model} {self.batch_size}\n".encode())
        for row in self.rows():
            digest.update(_line(row).encode())
        return digest.hexdigest()


def _line(row):
    return json.dumps(row, ensure_ascii=False) + "\n"
