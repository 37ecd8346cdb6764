"""All faults of a command, as trials."""

import dataclasses
import shutil
import signal
from pathlib import Path

from tests.faults.harness import (
    DAMAGES,
    SIGNALS,
    Command,
    Runner,
    arguments_of,
    contents,
    faults_of_end,
    leftovers,
)

UNWRITABLE = "/proc"  # Root may write into any folder that only lacks permission.


@dataclasses.dataclass(frozen=True)
class Fault:
    """What happens to a command.

    Attributes:
        kind: The column of the table.
        moment: When it comes, as a share of the command's time or of its largest file.
        file: Which input is damaged, and by what: a name of `DAMAGES` or another input.
        by: See `file`.
    """

    kind: str
    moment: float = 0.0
    file: str = ""
    by: str = ""


def faults_of(command: Command, moments: int) -> list[Fault]:
    """All faults of a command.

    Args:
        command: The command.
        moments: At how many moments signals and full disks come.
    """
    shares = [(number + 0.5) / moments for number in range(moments)]
    faults = [Fault(name, share) for name in SIGNALS for share in shares]
    faults += [Fault("full disk", share) for share in shares]
    faults += [Fault("folder not writable"), Fault("output is a file")]
    for file in command.damageable:
        faults += [Fault("input damaged", file=file, by=by) for by in DAMAGES]
        others = [other for other in command.damageable if other != file]
        faults += [Fault("input swapped", file=file, by=other) for other in others[:1]]
        if file.endswith(".json"):
            faults.append(Fault("input of another version", file=file))
    return faults


class Trials:
    """Tries faults on one command.

    Args:
        runner: Runs the command.
        command: The command.
        folder: An empty folder for the trials.
    """

    def __init__(self, runner: Runner, command: Command, folder: Path):
        self._runner, self._command, self._folder = runner, command, folder
        self._good = folder / "good"
        self._good.mkdir(parents=True)
        arguments = arguments_of(command, command.inputs, self._good)
        code, text, command.seconds = runner.run(command.module, arguments)
        self._ends_well = code
        assert code == int(not command.damageable), text  # The client, which finds no server.
        sizes = [path.stat().st_size for path in self._good.rglob("*") if path.is_file()]
        self._largest = max(sizes, default=0)

    def attempt(self, fault: Fault, again: bool = False) -> list[str]:
        """Tries one fault.

        Args:
            fault: The fault.
            again: Whether the command is run once more after it, which must go well.

        Returns:
            What was wrong, nothing if all was well.
        """
        command, inputs, output = self._command, self._folder / "inputs", self._folder / "output"
        for folder in (inputs, output):
            shutil.rmtree(folder, ignore_errors=True)
            if folder.is_file():
                folder.unlink()
        shutil.copytree(command.inputs, inputs)
        if command.replaces:
            shutil.copytree(self._good, output)
        else:
            output.mkdir()
        names, expected, options = [str(self._folder), UNWRITABLE], {1}, {}
        target = output
        if fault.kind in SIGNALS:
            number = SIGNALS[fault.kind]
            ends = -number if number == signal.SIGKILL else 128 + number
            expected = {ends, self._ends_well}
            options = {"number": number, "after": fault.moment * command.seconds}
        elif fault.kind == "full disk":
            options["limit"] = int(fault.moment * self._largest) or 4096  # A message fits.
        elif fault.kind == "folder not writable":
            target = Path(UNWRITABLE)
        elif fault.kind == "output is a file":
            shutil.rmtree(output)
            output.write_text("in the way")
        else:
            self._damage(inputs, fault)
            if fault.kind == "input of another version" and fault.file.endswith("config.json"):
                expected = {
                    0,
                    1,
                }  # A model's config has no version.
            if fault.by == "a bit flipped" and not fault.file.endswith(("-of-00001", ".json")):
                expected = {0, 1}  # Weights and pictures have no checksum.
        if not command.damageable:
            expected, names = expected | {1}, [*names, "not available"]
        before = contents(output) if output.is_dir() else {}
        arguments = arguments_of(command, inputs, target)
        code, text, _ = self._runner.run(command.module, arguments, **options)
        wrong = faults_of_end(code, text, expected, names)
        if code and code != -signal.SIGKILL and output.is_dir():
            after = contents(output)
            if changed := [name for name in before if after.get(name) != before[name]]:
                wrong.append(f"an older result is not whole: {changed}")
            if left := leftovers(output):
                wrong.append(f"temporaries left: {left}")
        if again and not wrong and fault.kind in SIGNALS:
            code, text, _ = self._runner.run(command.module, arguments)
            wrong += faults_of_end(code, text, {self._ends_well}, names)
            if output.is_dir() and (left := leftovers(output)):
                wrong.append(f"temporaries left by the next run: {left}")
        return [f"{fault}: {what}" for what in wrong]

    def _damage(self, inputs, fault):
        path = inputs / fault.file
        if fault.kind == "input swapped":
            shutil.copy(inputs / fault.by, path)
        elif fault.kind == "input of another version":
            text = path.read_text(encoding="utf-8").replace("{", '{"new": 1, ', 1)
            path.write_text(text.replace('"format_version": 1', '"format_version": 2'))
        else:
            path.write_bytes(DAMAGES[fault.by](path.read_bytes()))
