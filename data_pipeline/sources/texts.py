"""Reads the text files that lie beside pictures: captions, one per line, and attributes."""

import errno
import json
from pathlib import Path

from data_pipeline.sources.source import Report


def caption_lines(
    path: Path, data: bytes | None, report: Report, blank_lines: bool = True
) -> list[str] | None:
    """The captions in a text file, one per line.

    Args:
        path: The file, UTF-8; its name for messages, where `data` is given.
        data: The file's content; None to read it.
        report: Gets an entry for each caption that is none, or if the file cannot be read.
        blank_lines: Whether blank lines between captions are passed over, as those at the end are.

    Returns:
        The good captions; None if the file cannot be read.
    """
    try:
        data = _content(path) if data is None else data
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        report.add("missing caption files", path, "no such file")
        return None
    except OSError as error:
        report.add("missing caption files", path, str(error.strerror))
        return None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{data[error.start]:02x} in line {line}"
        report.add("caption files that are not UTF-8", path, f"{byte}; save it as UTF-8")
        return None
    lines = text.rstrip().split("\n")
    if lines == [""]:
        if not blank_lines:
            report.add("empty captions", path, "the file holds no caption")
        return []
    numbered = enumerate(lines, start=1)
    kept = ((line, f"{path}:{n}") for n, line in numbered if not blank_lines or line.strip())
    return list(report.captions(kept))


def read_captions(
    path: Path, expected: int | None, report: Report, data: bytes | None = None
) -> tuple[str, ...]:
    """Reads the captions in a file, one per line; no captions at all if it has problems.

    Args:
        path: The file, UTF-8.
        expected: How many captions it must hold; blank lines are then passed over.
        report: Gets an entry if the file is missing, is not UTF-8, or holds another number of
            captions, and for each caption that is none.
        data: The file's content, where `path` is only its name.
    """
    captions = caption_lines(path, data, report, blank_lines=expected is not None)
    if captions is None:
        return ()
    if expected is not None and len(captions) != expected:
        reason = f"expected {expected}, found {len(captions)}"
        report.add("caption files with the wrong number of captions", path, reason)
        return ()
    return tuple(captions)


def read_attributes(path: Path, report: Report, data: bytes | None = None) -> str:
    """Reads the JSON object in `path` as text; returns an empty one if there is no such file."""
    try:
        text = (_content(path) if data is None else data).decode("utf-8")
        value = json.loads(text)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, RecursionError) as error:
        report.add("attribute files that are not JSON", path, str(error))
        return ""
    if not isinstance(value, dict):
        reason = f"expected an object of names and values, found {text.strip()[:40]!r}"
        report.add("attribute files that are not JSON", path, reason)
        return ""
    return text.strip()


def _content(path):
    if path.exists() and not path.is_file():  # A pipe would be waited for without end.
        raise OSError(errno.EINVAL, "not a file")
    return path.read_bytes()
