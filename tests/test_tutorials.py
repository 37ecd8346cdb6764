"""The notebooks as they are committed, and the tool that executes them (nbmake runs them)."""

import base64
import io
import json
import runpy

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from data_pipeline.support.errors import UserError
from tests.commands import ROOT

TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))
TOOL = runpy.run_path(str(ROOT / "docs" / "notebooks.py"))


@pytest.fixture
def notebook_file(tmp_path):
    """Writes a notebook of one cell; returns its path."""

    def write(source):
        path = tmp_path / "notebook.ipynb"
        nbformat.write(new_notebook(cells=[new_code_cell(source)]), path)
        return path

    return write


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_notebook_holds_the_outputs_of_one_run_from_top_to_bottom(path):
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert any("image/jpeg" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert path.stat().st_size <= TOOL["LARGEST"]


def test_all_four_notebooks_are_there_and_the_readme_links_them():
    readme = (ROOT / "README.md").read_text()
    assert [path.name[0] for path in TUTORIALS] == ["1", "2", "3", "4"]
    assert not [path.name for path in TUTORIALS if f"docs/tutorials/{path.name}" not in readme]


def test_pictures_become_small_jpegs_messages_go_and_paths_become_relative():
    file = io.BytesIO()
    Image.new("RGBA", (1600, 400)).save(file, "PNG")
    png = {"image/png": base64.b64encode(file.getvalue()).decode()}
    cell = new_code_cell(
        outputs=[
            new_output("stream", name="stderr", text="a warning"),
            new_output("stream", name="stdout", text="INFO: none\r\n\x1b[32m/a/b/c\x1b[0m\r\n"),
            new_output("display_data", png),
        ]
    )
    TOOL["shrink"](new_notebook(cells=[cell]), "/a/b/")
    printed, shown = cell.outputs
    assert printed.text == "c\n"
    assert list(shown.data) == ["image/jpeg"]
    with Image.open(io.BytesIO(base64.b64decode(shown.data["image/jpeg"]))) as picture:
        assert picture.format == "JPEG" and picture.size == (800, 200)


def test_refreshed_notebook_keeps_its_source_line_by_line(notebook_file):
    source = 'for i in range(3):\n    print(i, end="\\r")\nprint("done")'
    path = notebook_file(source)
    TOOL["refresh"](path)
    (cell,) = json.loads(path.read_text())["cells"]
    assert cell["source"] == source.splitlines(keepends=True)
    assert cell["outputs"][0]["text"] == ["done\n"]


def test_notebook_that_shows_a_folder_of_the_machine_stays_as_it_was(notebook_file):
    path = notebook_file("import sys\nprint(sys.executable)")
    before = path.read_text()
    with pytest.raises(UserError, match="notebook.ipynb shows a folder of this machine: /"):
        TOOL["refresh"](path)
    assert path.read_text() == before
