"""Imports go one way: between packages, between folders, between files.

data_pipeline <- t2i_tf <- export; layers and networks know no TensorFlow; what only draws or
exports loads nothing of training.
"""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("data_pipeline", "t2i_tf", "export", "configs")
FORBIDDEN = {
    "data_pipeline": {"t2i_tf", "export", "configs"},
    "t2i_tf": {"export", "configs"},
    "configs": {"t2i_tf", "export", "data_pipeline", "tensorflow"},
}
MOST_FILES = 16  # in one folder
COMMANDS = {
    *("train", "pretrain_damsm", "evaluate", "explain", "generate", "import_reference", "publish"),
    *("compare", "doctor"),
}
DRAWING = ("t2i_tf.generate", "export.saved_model.__main__", "export.tflite.__main__")


def modules():
    """Every module of the packages by its dotted name."""
    return {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
    }


def imported(path):
    """The dotted names that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def module_graph():
    """For each module the modules of the packages that it imports."""
    known = modules()
    graph = {}
    for name, file in known.items():
        found = set()
        for target in imported(file):
            module = target if target in known else target.rpartition(".")[0]
            if module in known and module != name:
                found.add(module)
        graph[name] = found
    return graph


def sort(graph):
    """Raises a CycleError that names a loop, if there is one."""
    list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_go_one_way_between_packages(package):
    files = list((ROOT / package).rglob("*.py"))
    assert files
    wrong = {str(f): {n.split(".")[0] for n in imported(f)} & FORBIDDEN[package] for f in files}
    assert not {name: found for name, found in wrong.items() if found}


def test_imports_go_one_way_between_files():
    graph = module_graph()
    assert len(graph) > 100
    sort(graph)


def test_imports_go_one_way_between_folders():
    files = modules()
    folders = {}
    for name, targets in module_graph().items():
        folder = files[name].parent
        folders.setdefault(folder, set()).update(files[t].parent for t in targets)
        folders[folder].discard(folder)
    sort(
        {
            str(f.relative_to(ROOT)): {str(t.relative_to(ROOT)) for t in ts}
            for f, ts in folders.items()
        }
    )


def test_no_folder_is_a_hallway():
    counts = {}
    for file in modules().values():
        counts[file.parent] = counts.get(file.parent, 0) + 1
    crowded = {str(folder): count for folder, count in counts.items() if count > MOST_FILES}
    assert not crowded
    public = {f.stem for f in (ROOT / "t2i_tf").glob("*.py") if not f.stem.startswith("_")}
    assert public == COMMANDS


def test_networks_run_on_any_keras_backend():
    files = list((ROOT / "t2i_tf" / "networks").glob("*.py"))
    files.append(ROOT / "t2i_tf" / "training" / "losses.py")
    for file in files:
        found = {name.split(".")[0] for name in imported(file)}
        # Behind a test of the backend: TensorFlow's fused batch normalization.
        assert "tensorflow" not in found or file.name == "batch_norm.py", file


@pytest.mark.parametrize("module", DRAWING)
def test_drawing_and_exporting_load_nothing_of_training(module):
    code = (
        f"import sys, {module}; print([m for m in sys.modules if m.startswith('t2i_tf.training')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
