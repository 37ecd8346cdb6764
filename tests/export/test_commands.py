"""Every command can be an installed program, and tells what it does."""

import importlib
import re
import subprocess

import pytest

from tests.commands import ROOT, command

COMMANDS = {
    "export.saved_model": "export.saved_model.__main__",
    "export.tflite": "export.tflite.__main__",
    "export.client": "export.client.__main__",
    "export.web": "export.web.__main__",
    "export.draw_captions": "export.draw_captions.__main__",
    "export.quickstart": "export.quickstart.__main__",
    "export.serve": "export.serve",
    "export.report": "export.report",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_tells_what_a_command_does_and_its_flags(name):
    done = subprocess.run(
        command(name, "--help"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    module = importlib.import_module(COMMANDS[name])
    assert callable(module.command) and callable(module.main) and callable(module.define_flags)
    first = module.__doc__.splitlines()[0]
    assert len(first) > 30 and first in done.stdout
    assert f"python -m {name}" in done.stdout
    assert re.search(r"^  --(\[no\])?\w+: ", done.stdout, re.MULTILINE)
    assert done.stderr == ""
