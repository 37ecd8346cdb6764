"""Tries all faults on all commands and writes the table in docs/faults.md.

    python -m tests.faults --moments=8 --output=docs/faults.md

Takes hours with many moments; --command= tries one command alone.
"""

import collections
import sys
import tempfile
from pathlib import Path

from absl import flags

from data_pipeline.support.errors import run
from data_pipeline.support.files import write_text
from tests.faults.commands import table
from tests.faults.faults import Trials, faults_of
from tests.faults.harness import Runner

_PAGE = """# What faults do to the commands

Each cell: trials that ended well, of all. Well: the right exit code, one line that names the file
or value, no traceback, no temporaries, an older result still whole, and after a signal the same
command succeeds. Signals and full disks come at {moments} moments each.

    python -m tests.faults --moments={moments} --output=docs/faults.md

{table}

{total} trials, {well} ended well. Weights and pictures have no checksums: of a single flipped bit
in them a command may say nothing, if it draws or reads on.
"""


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_integer("moments", 8, "Moments of each signal and full disk.", lower_bound=1)
    flags.DEFINE_list("command", None, "Only these commands.")
    flags.DEFINE_string("model_dir", "t2i_tf/bundled/birds64", "Model directory, copied.")
    flags.DEFINE_string("output", None, "Markdown file to write.")


def main(_: list[str]) -> None:
    """Tries what the flags ask for; exits with 1 if a trial went wrong."""
    options = flags.FLAGS
    counts, well, wrong = collections.Counter(), collections.Counter(), []
    with Runner() as runner, tempfile.TemporaryDirectory() as folder:
        commands = table(runner, Path(folder), Path(options.model_dir))
        for name in options.command or commands:
            trials = Trials(runner, commands[name], Path(folder) / "trials" / name)
            for fault in faults_of(commands[name], options.moments):
                found = trials.attempt(fault, again=True)
                counts[name, fault.kind] += 1
                print(
                    f"{name}: {fault}: {'WRONG' if found else 'well'}", file=sys.stderr, flush=True
                )
                well[name, fault.kind] += not found
                for what in found:
                    wrong.append(what)
                    print(f"{name}: {what}", file=sys.stderr, flush=True)
    kinds = list(dict.fromkeys(kind for _, kind in counts))
    rows = [["command", *kinds], ["---"] * (len(kinds) + 1)]
    for name in dict.fromkeys(name for name, _ in counts):
        cells = [f"{well[name, kind]}/{counts[name, kind]}" for kind in kinds]
        rows.append([f"`{name}`", *(cell if cell != "0/0" else "" for cell in cells)])
    text = _PAGE.format(
        moments=options.moments,
        table="\n".join(f"| {' | '.join(row)} |" for row in rows),
        total=counts.total(),
        well=well.total(),
    )
    print(text)
    if options.output:
        write_text(options.output, text)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    run(main, define_flags)
