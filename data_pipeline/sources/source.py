"""The result of every reader of raw data: the examples, or a list of all their problems."""

import dataclasses
import json
from pathlib import Path

from data_pipeline.support.errors import UserError
from data_pipeline.support.text import clean_caption

_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class Example:
    """One picture with its captions.

    Attributes:
        name: `"<class>/<file stem>"`.
        split: `"train"` or `"test"`.
        class_id: 0-based number of the class, over all splits.
        class_name: Name of the class.
        image_path: The picture.
        box: Left, top, width and height of the subject, in pixels of the picture.
        captions: The captions, none empty, cleaned of U+FFFD pairs.
        attributes: JSON text of the true attributes of the bird; empty if they are unknown.
    """

    name: str
    split: str
    class_id: int
    class_name: str
    image_path: Path
    box: tuple[float, float, float, float]
    captions: tuple[str, ...]
    attributes: str = ""


@dataclasses.dataclass(frozen=True)
class RawData:
    """All examples of a raw data set.

    Attributes:
        examples: The examples of all splits.
        classes: Names of the classes by class id.
        captions_per_image: Number of captions of each example.
        source: SHA-256 of the metadata files by file name.
        notes: Remarks for the user on how the data was read.
    """

    examples: list[Example]
    classes: list[str]
    captions_per_image: int
    source: dict[str, str]
    notes: tuple[str, ...] = ()


class Problems:
    """Collects all problems of a data set, to report them together.

    Example:
        problems = Problems()
        problems.add("missing pictures", path, "no such file")
        problems.raise_if_any("data/birds")
    """

    def __init__(self):
        self._found: dict[str, list[str]] = {}

    def add(self, kind: str, where: object, reason: str) -> None:
        """Notes a problem.

        Args:
            kind: Header under which this problem is listed.
            where: The file, line or picture.
            reason: What is wrong with it.
        """
        self._found.setdefault(kind, []).append(f"{where}: {reason}")

    def raise_if_any(self, what: object) -> None:
        """Raises a `UserError` that lists all problems of `what` by kind, if there are any."""
        if not self._found:
            return
        total = sum(len(found) for found in self._found.values())
        count = f"{total} problem{'s' * (total != 1)}"
        lines = [f"{what}: {count}, nothing was written"]
        for kind, found in self._found.items():
            lines.append(f"{kind} ({len(found)}):")
            lines += [f"  {line}" for line in found[:_SHOWN]]
            if len(found) > _SHOWN:
                lines.append(f"  and {len(found) - _SHOWN} more")
        raise UserError("\n".join(lines))


def read_captions(path: Path, expected: int, problems: Problems) -> tuple[str, ...]:
    """Reads the captions in a file, one per line; blank lines are skipped.

    Args:
        path: The file, UTF-8.
        expected: How many captions it must hold.
        problems: Gets an entry if the file is missing, is not UTF-8 or holds another number of
            captions.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        problems.add("missing caption files", path, "no such file")
        return ()
    except OSError as error:
        problems.add("missing caption files", path, str(error.strerror))
        return ()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{data[error.start]:02x} in line {line}"
        problems.add("caption files that are not UTF-8", path, f"{byte}; save it as UTF-8")
        return ()
    captions = tuple(filter(None, map(clean_caption, text.split("\n"))))
    if len(captions) != expected:
        reason = f"expected {expected}, found {len(captions)}"
        problems.add("caption files with the wrong number of captions", path, reason)
    return captions


def read_attributes(path: Path, problems: Problems) -> str:
    """Reads the JSON text in `path`; returns an empty string if there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
        json.loads(text)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        problems.add("attribute files that are not JSON", path, str(error))
        return ""
    return text.strip()
