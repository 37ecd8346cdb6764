"""What every source of raw data gives, and how it tells what is wrong with the data."""

import dataclasses
import functools
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from data_pipeline.support.errors import UserError
from data_pipeline.support.hashing import file_sha256
from data_pipeline.support.parts import FilePart
from data_pipeline.support.text import clean_caption

MALFORMED = "malformed metadata"
PICTURES = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")

Box = tuple[float, float, float, float]

LONGEST_WORD = 1000  # letters; some languages write a sentence without a space

_SHOWN = 20
_TOO_LONG = re.compile(rf"\w{{{LONGEST_WORD + 1}}}")
_SPLITS = {
    "train": ("train", "training", "restval"),
    "test": ("test", "testing"),
    "validation": ("validation", "valid", "val", "dev", "eval"),
}
_SPLIT_OF = {word: split for split, words in _SPLITS.items() for word in words}


@dataclasses.dataclass(frozen=True)
class Example:
    """One picture with its captions.

    Attributes:
        name: A name that no other picture of the data set has: `"<class>/<file stem>"`, say.
        picture: The picture file, a part of a file (of an archive, say), or the file's bytes.
        captions: The captions, none empty, as `Report.caption` returns them.
        split: `"train"`, `"test"` or `"validation"`; None if the data does not divide itself.
        class_name: Name of the class; None if the picture is a class of its own.
        box: Left, top, width and height of the subject, in pixels of the upright picture; None if
            the subject is the whole picture.
        attributes: JSON text of what is true of the picture; empty if that is unknown.
    """

    name: str
    picture: Path | FilePart | bytes
    captions: tuple[str, ...]
    split: str | None = None
    class_name: str | None = None
    box: Box | None = None
    attributes: str = ""


@dataclasses.dataclass(frozen=True)
class Source:
    """A raw data set that gives its examples one by one.

    Attributes:
        where: The folder or file of the raw data, for messages.
        examples: A generator of the good examples, always in the same order. It tells the report
            of everything that is wrong, and raises a UserError where it cannot go on.
    """

    where: str | os.PathLike
    examples: Callable[["Report"], Iterator[Example]]


class Problems:
    """Collects all problems of a data set, to report them together.

    Example:

            problems = Problems()
            problems.add("missing pictures", path, "no such file")
            problems.raise_if_any("data/birds")

    Attributes:
        counts: The number of problems by kind.
        fatal: Whether one of them cannot be left out.
    """

    def __init__(self):
        self._found: dict[str, list[str]] = {}
        self.counts: Counter[str] = Counter()
        self.fatal = False

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, kind: str, where: object, reason: str, fatal: bool = False) -> None:
        """Notes a problem.

        Args:
            kind: Header under which this problem is listed.
            where: The file, line or picture.
            reason: What is wrong with it.
            fatal: Whether it spoils more than one picture or caption, which could be left out.
        """
        shown = self._found.setdefault(kind, [])
        if len(shown) < _SHOWN:
            shown.append(_printable(f"{where}: {reason}"))
        self.counts[kind] += 1
        self.fatal |= fatal

    def raise_if_any(self, what: object) -> None:
        """Raises a `UserError` that lists all problems of `what` by kind, if there are any."""
        if not self:
            return
        total = self.counts.total()
        count = f"{total} problem{'s' * (total != 1)}"
        raise UserError("\n".join([f"{what}: {count}, nothing was written", *self.lines()]))

    def lines(self) -> list[str]:
        """The problems by kind, the first of each in full."""
        lines = []
        for kind, found in self._found.items():
            lines.append(f"{kind} ({self.counts[kind]}):")
            lines += [f"  {line}" for line in found]
            if self.counts[kind] > len(found):
                lines.append(f"  and {self.counts[kind] - len(found)} more")
        return lines


class Report(Problems):
    """What a source tells besides its examples: problems, files read, notes, order of classes.

    Its methods check what sources have in common; each returns None after noting a problem.

    Attributes:
        hashes: SHA-256 of the metadata files by name.
        notes: Remarks for the user on how the data was read.
        classes: Names of classes in the order of their ids; classes that are not in it follow,
            sorted.
    """

    def __init__(self):
        super().__init__()
        self.hashes: dict[str, str] = {}
        self.notes: list[str] = []
        self.classes: list[str] = []

    def read_from(self, path: Path, name: str = "") -> None:
        """Keeps the hash of a metadata file."""
        self.hashes[name or path.name] = file_sha256(path)

    def caption(self, text: object, where: object) -> str | None:
        """The caption, cleaned, if it is text with a letter or digit in it.

        Args:
            text: What the source holds.
            where: The file and line.
        """
        if not isinstance(text, str):
            kind = type(text).__name__
            self.add("captions that are not text", where, f"found {str(text)[:40]!r} ({kind})")
            return None
        if not _is_unicode(text):
            self.add("captions that are not UTF-8", where, f"{text[:60]!r}; save it as UTF-8")
            return None
        text = clean_caption(text)
        if not text:
            self.add("empty captions", where, "empty, or only white space")
            return None
        if not any(map(str.isalnum, text)):
            self.add("captions without a word", where, repr(text[:60]))
            return None
        if _TOO_LONG.search(text):
            reason = f"a word of more than {LONGEST_WORD} letters, in {text[:60]!r}"
            self.add("captions that are no sentences", where, reason)
            return None
        return text

    def captions(self, texts: Iterable[tuple[object, object]]) -> tuple[str, ...]:
        """The good ones of some (text, where), see `caption`."""
        checked = (self.caption(text, where) for text, where in texts)
        return tuple(caption for caption in checked if caption is not None)

    def file(self, folder: Path, name: object, where: object = "") -> Path | None:
        """The path of a file in a folder, if it exists and neither it nor its name leads out.

        Args:
            folder: The folder.
            name: The file's name as the data gives it, with or without subfolders.
            where: The file and line that name it; by default the path itself.
        """
        if not isinstance(name, str) or not name.strip() or "\0" in name:
            self.add("missing pictures", where or folder, f"{name!r} is not a file name")
            return None
        path = folder / name
        if not self.holds(folder, name, where):
            return None
        if not path.is_file():
            reason = "not a file" if path.exists() else "no such file"
            self.add("missing pictures", path, reason + f" (named in {where})" * bool(where))
            return None
        return path

    def holds(self, folder: Path, name: str, where: object = "") -> bool:
        """Whether a path in a folder lies in it: not absolute, without "..", no link out of it.

        Args:
            folder: The folder.
            name: The path in it.
            where: The file and line that name it; by default the path itself.
        """
        path = folder / name
        if Path(name).is_absolute() or ".." in Path(name).parts or _leads_out(path, folder):
            reason = f"{name} leads out of {folder}"
            self.add("paths out of their folder", where or path, reason)
            return False
        return True

    def split(self, text: object, where: object) -> str | None:
        """The split that a word such as "val" means."""
        split = split_of(text)
        if split is None:
            known = ", ".join(word for words in _SPLITS.values() for word in words)
            self.add("unknown splits", where, f"{text!r} is none of {known}")
        return split


def split_of(text: object) -> str | None:
    """`"train"`, `"test"` or `"validation"` for one of the words that mean them, else None."""
    return _SPLIT_OF.get(str(text).strip().lower())


def is_name(name: str) -> bool:
    """Whether a name can be stored: it is valid Unicode."""
    return _is_unicode(name)


def _leads_out(path, folder):
    """Whether a path in a folder leads out of it by symbolic links."""
    real = _real(path.parent)
    if path.is_symlink():
        real = os.path.dirname(os.path.realpath(path))
    root = _real(folder)
    return real != root and not real.startswith(root.rstrip(os.sep) + os.sep)


@functools.lru_cache(4096)
def _real(folder):
    return os.path.realpath(folder)


def _is_unicode(text):
    try:
        text.encode()
    except UnicodeEncodeError:  # Bytes that are not UTF-8, or halves of a surrogate pair.
        return False
    return True


def _printable(text):
    """Text that any terminal takes."""
    text = text.encode(errors="backslashreplace").decode()
    return "".join(c if c.isprintable() or c in "\u200e\u200f" else repr(c)[1:-1] for c in text)
