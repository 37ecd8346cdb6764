"""Public functions say the types of what they take and return."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [
    file
    for package in ("data_pipeline", "t2i_tf", "export")
    for file in (ROOT / package).rglob("*.py")
]
# Keras calls these, with arguments that its documentation names.
KERAS = {"build", "call", "get_config", "from_config", "compute_output_shape", "train_step"}


def unannotated(body, within=""):
    """The public functions that leave a type out, with what they leave out."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from unannotated(node.body, f"{node.name}.")
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        if within and (node.name in KERAS | {"compile", "metrics"} or node.name.startswith("on_")):
            continue
        arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        missing = [a.arg for a in arguments if not a.annotation and a.arg not in ("self", "cls")]
        if not node.returns:
            missing.append("what it returns")
        if missing:
            yield f"{within}{node.name}: {', '.join(missing)}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_public_functions_are_annotated(file):
    assert not list(unannotated(ast.parse(file.read_text(encoding="utf-8")).body))
