"""Rows of tables, one by one, whatever the file is written in."""

import csv
import dataclasses
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from data_pipeline.sources.source import MALFORMED, Report
from data_pipeline.support.errors import UserError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
_BATCH = 64  # Parquet rows that are read together: they may hold pictures.


@dataclasses.dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        number: From 0.
        where: The file and line, or row, for messages.
        values: The cells by column: text; in JSON and Parquet also other types.
    """

    number: int
    where: str
    values: dict[str, object]


def columns_of(path: Path) -> list[str]:
    """The names of a table's columns; of a JSON table, those of its first row.

    Raises:
        UserError: The table is empty or cannot be read.
    """
    if path.suffix.lower() == ".parquet":
        return _parquet(path).schema_arrow.names
    if path.suffix.lower() in (".jsonl", ".json"):
        report = Report()
        first = next(_json_rows(path, report), None)
        if first is None:
            report.raise_if_any(path)
            raise UserError(f"{path}: the table is empty")
        return list(first.values)
    with _open(path) as file:
        return _header(path, _reader(path, file))


def rows_of(path: Path, columns: Sequence[str], report: Report) -> Iterator[Row]:
    """The good rows of a table.

    Args:
        path: The table.
        columns: The columns that are wanted; the values may hold others.
        report: Gets an entry for each row that is malformed, and a fatal one where reading ends.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        yield from _parquet_rows(path, columns, report)
        return
    if suffix not in (".jsonl", ".json"):
        yield from _csv_rows(path, report)
        return
    for row in _json_rows(path, report):
        missing = [name for name in columns if name not in row.values]
        if missing:
            report.add("rows without a column", row.where, f"no {', '.join(missing)}")
        else:
            yield row


def _open(path):
    # Bytes that are not UTF-8 become halves of surrogate pairs, which no caption may hold.
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _reader(path, file):
    return csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)


def _header(path, reader):
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise UserError(f"{path}:1: not a table ({error})") from None
    if not any(header):
        raise UserError(f"{path}: the table is empty; its first line names the columns")
    doubled = [name for number, name in enumerate(header) if name in header[:number]]
    if doubled:
        raise UserError(f"{path}: two columns are called {doubled[0]!r}")
    return header


def _csv_rows(path, report):
    with _open(path) as file:
        reader = _reader(path, file)
        header = _header(path, reader)
        try:
            for number, cells in enumerate(reader):
                where = f"{path}:{reader.line_num}"
                if len(cells) == len(header):
                    yield Row(number, where, dict(zip(header, cells, strict=True)))
                elif cells:
                    reason = f"{len(cells)} cells, but {len(header)} columns"
                    report.add("ragged rows", where, reason)
        except csv.Error as error:  # A quote without its end swallows what follows.
            report.add(MALFORMED, f"{path}:{reader.line_num}", str(error), fatal=True)


def _json_rows(path, report):
    for number, (where, value) in enumerate(_json_values(path, report)):
        if isinstance(value, dict):
            yield Row(number, where, value)
        else:
            report.add("malformed rows", where, f"expected an object, found {str(value)[:40]!r}")


def _json_values(path, report):
    if path.suffix.lower() == ".json":
        try:
            values = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            report.add(MALFORMED, path, f"not JSON: {error}", fatal=True)
            return
        if not isinstance(values, list):
            report.add(MALFORMED, path, "expected a list of objects", fatal=True)
            return
        yield from ((f"{path}: row {number}", value) for number, value in enumerate(values, 1))
        return
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                report.add("malformed rows", f"{path}:{number}", f"not JSON: {error}")
                continue
            yield f"{path}:{number}", value


def _parquet_rows(path, columns, report):
    table = _parquet(path)
    numbers = itertools.count()
    try:
        for batch in table.iter_batches(batch_size=_BATCH, columns=list(columns)):
            for values in batch.to_pylist():
                number = next(numbers)
                yield Row(number, f"{path}: row {number + 1}", values)
    except (OSError, ValueError) as error:  # pyarrow's errors are among these.
        report.add(MALFORMED, f"{path}: row {next(numbers) + 1}", str(error), fatal=True)


def _parquet(path):
    parquet = _import_parquet(path)
    try:
        return parquet.ParquetFile(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: damaged or not a Parquet file ({error})") from None


def _import_parquet(path) -> ModuleType:
    try:
        import pyarrow.parquet
    except ImportError:
        raise UserError(
            f"{path}: reading Parquet needs pyarrow: pip install -r requirements-data.txt"
        ) from None
    return pyarrow.parquet
