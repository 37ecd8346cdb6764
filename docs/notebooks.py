"""Executes the notebooks of docs/tutorials in place and keeps their outputs small.

python docs/notebooks.py [NOTEBOOK ...]

Pictures become JPEGs of at most 800 pixels, messages on stderr are left out, and of a progress bar
its last state stays. A notebook that fails, shows a folder of this machine or becomes too large
stays as it was.
"""

import base64
import io
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

from data_pipeline.support.errors import UserError
from data_pipeline.support.files import write_text

ROOT = Path(__file__).resolve().parents[1]
TUTORIALS = ROOT / "docs" / "tutorials"
WIDEST, QUALITY = 800, 80
LARGEST = 400_000  # bytes of a file
FOLDERS = (ROOT, Path.home(), Path(tempfile.gettempdir()), Path(sys.prefix))  # not to be shown
# Colours, the terminal's ends of lines, and what native code says to the terminal of a command.
_NOISE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r(?=\n)|^(?:INFO|WARNING|[IWE]\d{4}\b).*\n", re.M)


def refresh(path: Path) -> int:
    """Executes a notebook and writes it with its new outputs; returns the file's bytes.

    Raises:
        UserError: It is too large, or shows a folder of this machine.
        CellExecutionError: A cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:  # where nothing is left of an earlier run
        NotebookClient(
            notebook,
            timeout=None,
            record_timing=False,
            coalesce_streams=True,  # and keep only the last state of redrawn lines
            resources={"metadata": {"path": folder}},
        ).execute()
    shrink(notebook, f"{Path(folder).resolve()}/")
    for line in _printed(notebook):
        if any(f"{folder}/" in line for folder in FOLDERS):
            raise UserError(f"{path.name} shows a folder of this machine: {line}")
    text = nbformat.writes(notebook) + "\n"
    if len(text) > LARGEST:
        raise UserError(f"{path.name} has {len(text):,} bytes, at most {LARGEST:,} are wanted")
    write_text(path, text)
    return len(text)


def shrink(notebook: nbformat.NotebookNode, folder: str) -> None:
    """Makes a notebook's outputs small and the same on every machine, in place.

    Args:
        notebook: An executed notebook.
        folder: Where it ran; paths in this folder become relative ones.
    """
    notebook.metadata.language_info = {"name": "python"}  # The kernel adds its version.
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        for output in cell.outputs:
            if output.output_type == "stream":
                output.text = _NOISE.sub("", output.text).replace(folder, "")
            elif "image/png" in output.get("data", {}):
                output.data["image/jpeg"] = _as_jpeg(output.data.pop("image/png"))


def _printed(notebook):
    """The lines of all outputs."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            texts = [data[kind] for kind in data if kind.startswith("text/")]
            for text in (output.get("text", ""), *texts):
                yield from text.splitlines()


def _as_jpeg(png):
    with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
        picture = picture.convert("RGB")
        picture.thumbnail((WIDEST, picture.height))
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=QUALITY)
    return base64.b64encode(file.getvalue()).decode()


def main(paths: list[Path]) -> None:
    """Refreshes the notebooks that are named, or all."""
    os.environ["PYTHONPATH"] = str(ROOT)  # for the kernel and the commands that it starts
    for path in paths or sorted(TUTORIALS.glob("*.ipynb")):
        print(f"{path.name}: {refresh(path):,} bytes", flush=True)


if __name__ == "__main__":
    try:
        main([Path(name) for name in sys.argv[1:]])
    except UserError as error:
        sys.exit(f"error: {error}")
