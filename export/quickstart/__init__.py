"""From nothing to a trained, exported and measured model, by the documented commands.

    python -m export.quickstart --output_dir=quickstart

runs each step as its own process and leaves the data, both runs, the SavedModels and report.md in
--output_dir. Repeated, it skips what is done and goes on where it was stopped.
"""

from export.quickstart.run import closing, quickstart

__all__ = ["closing", "quickstart"]
