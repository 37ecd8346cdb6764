"""Apache Beam, for work that a cluster shares; it is imported only where a runner is asked for."""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence

from absl import flags

from data_pipeline.support.errors import StoppedError, UserError

if typing.TYPE_CHECKING:
    import apache_beam

RUNNERS = ("DirectRunner", "FlinkRunner", "SparkRunner", "DataflowRunner")
# Beam's own DirectRunner would first download a runner written in Go.
_IMPLEMENTATIONS = {"DirectRunner": "apache_beam.runners.portability.fn_api_runner.FnApiRunner"}


def define_runner(default: str | None) -> None:
    """Defines --runner; Beam's own options follow after `--`."""
    flags.DEFINE_enum(
        "runner", default, RUNNERS, "Apache Beam's runner; its own options follow after --."
    )


def run(
    build: Callable[[apache_beam.Pipeline], object],
    runner: str,
    options: Sequence[str],
    workers: int,
) -> None:
    """Builds a pipeline, runs it and waits for its end.

    Args:
        build: Applies the transforms to the pipeline.
        runner: One of `RUNNERS`.
        options: Beam's own, `--name=value` each.
        workers: Processes of the DirectRunner; other runners have options of their own.

    Raises:
        UserError: apache-beam is not installed.
        StoppedError: The pipeline failed.
    """
    try:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise UserError(
            f"--runner={runner} needs apache-beam ({error}): pip install -r requirements-beam.txt"
        ) from None
    options = list(options)
    if runner == "DirectRunner":
        mode = "multi_processing" if workers > 1 else "in_memory"
        options = [f"--direct_num_workers={workers}", f"--direct_running_mode={mode}", *options]
    try:
        pipeline = apache_beam.Pipeline(
            _IMPLEMENTATIONS.get(runner, runner), PipelineOptions(options)
        )
    except (ValueError, ImportError) as error:
        raise UserError(f"--runner={runner}: {error}") from error
    try:
        build(pipeline)
        pipeline.run().wait_until_finish()
    except Exception as error:  # Beam passes on whatever a worker raised, after its traceback.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise StoppedError(f"the pipeline on {runner} failed: {reason}") from error
