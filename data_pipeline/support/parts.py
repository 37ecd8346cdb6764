"""Parts of files: a picture in a tar archive is read in place, never extracted."""

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class FilePart:
    """Some bytes of a file.

    Attributes:
        path: The file.
        offset: Where the part begins.
        size: Its length in bytes.
        name: What the part is called in messages: `"<archive>:<member>"`, say.
        digest: Hash of the bytes, where the file is written anew by every run.
    """

    path: Path
    offset: int
    size: int
    name: str
    digest: str = ""

    def __str__(self) -> str:
        return self.name

    def read(self) -> bytes:
        """The bytes.

        Raises:
            OSError: The file cannot be read.
            EOFError: The file ends before the part does.
        """
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) != self.size:
            raise EOFError(f"{self.path} is cut short")
        return data
