"""A folder of drawn pictures with their captions, for other programs' scorers.

pictures/0000000.png     one file for each picture, named by its index
captions.jsonl           a line for each: index, file, caption, class_id, seed
dump.json                what drew them; pictures of another model are refused
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from data_pipeline.support.errors import UserError
from data_pipeline.support.files import write_text
from t2i_tf.models.images import save_png

PICTURES, CAPTIONS, ABOUT = "pictures", "captions.jsonl", "dump.json"


class Dump:
    """Writes pictures as they are drawn; those that are there already are read instead.

    Args:
        folder: The folder, made if necessary.
        about: What decides the pictures besides their number, as plain values.

    Raises:
        UserError: The folder cannot be made, or holds pictures that something else decided.
    """

    def __init__(self, folder: str | Path, about: Mapping[str, object]):
        self.folder = Path(folder)
        try:
            (self.folder / PICTURES).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{folder} cannot be made: {error.strerror}") from error
        for partial in (self.folder / PICTURES).glob(".partial-*"):  # A killed process left it.
            partial.unlink()
        path = self.folder / ABOUT
        written = json.dumps(dict(about), indent=2, sort_keys=True) + "\n"
        if not path.is_file():
            if any((self.folder / PICTURES).iterdir()):
                raise UserError(f"{folder} holds pictures but no {ABOUT}: name another folder")
            write_text(path, written)
        elif path.read_text(encoding="utf-8") != written:
            raise UserError(
                f"{folder} holds pictures of another model, seed, data set or number of words "
                f"(see {path.name} there): name another folder"
            )

    def describe(
        self, texts: Sequence[str], class_ids: Sequence[int], seeds: Sequence[int]
    ) -> None:
        """Writes the captions, unless the folder already has those of more pictures."""
        path = self.folder / CAPTIONS
        if path.is_file() and len(path.read_text(encoding="utf-8").splitlines()) >= len(texts):
            return
        lines = (
            {
                "index": index,
                "file": str(self._file(index).relative_to(self.folder)),
                "caption": text,
                "class_id": int(class_id),
                "seed": int(seed),
            }
            for index, (text, class_id, seed) in enumerate(
                zip(texts, class_ids, seeds, strict=True)
            )
        )
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        write_text(path, text)

    def blocks(
        self, count: int, block: int, draw: Callable[[int], Iterable[np.ndarray]]
    ) -> Iterator[np.ndarray]:
        """Yields all pictures, block by block, and writes those that are missing.

        Args:
            count: Number of pictures.
            block: Pictures in a block.
            draw: Draws the blocks from a picture on, which is the first of its block.

        Yields:
            uint8 `[block, H, W, 3]` each; the last block has the rest.

        Raises:
            UserError: A file of the folder is no picture.
        """
        here = next((i for i in range(count) if not self._file(i).is_file()), count)
        start = count if here == count else here // block * block
        for first in range(0, start, block):
            rows = range(first, min(first + block, start))
            yield np.stack([self._read(self._file(i)) for i in rows])
        if start < count:
            for pictures in draw(start):
                for picture in pictures:
                    save_png(self._file(start), picture)
                    start += 1
                yield pictures

    def _file(self, index):
        return self.folder / PICTURES / f"{index:07d}.png"

    @staticmethod
    def _read(path):
        try:
            with Image.open(path, formats=("PNG",)) as picture:
                return np.asarray(picture)
        except Exception as error:  # A damaged file can cause any error in its decoder.
            raise UserError(f"{path} is damaged: delete it, and it is drawn again") from error
