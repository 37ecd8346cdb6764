"""Imports go one way: data_pipeline <- t2i_tf <- export; layers and networks know no TensorFlow."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "data_pipeline": {"t2i_tf", "export", "configs"},
    "t2i_tf": {"export", "configs"},
    "configs": {"t2i_tf", "export", "data_pipeline", "tensorflow"},
}
KERAS_ONLY = ["convolutions.py", "layers.py", "attention.py", "losses.py", "networks"]


def imported(path):
    """The top-level packages that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_go_one_way(package):
    files = list((ROOT / package).rglob("*.py"))
    assert files
    wrong = {str(f): imported(f) & FORBIDDEN[package] for f in files}
    assert not {name: found for name, found in wrong.items() if found}


@pytest.mark.parametrize("name", KERAS_ONLY)
def test_layers_and_networks_run_on_any_keras_backend(name):
    path = ROOT / "t2i_tf" / name
    for file in path.rglob("*.py") if path.is_dir() else [path]:
        assert "tensorflow" not in imported(file), file
