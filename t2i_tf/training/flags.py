"""The flags that several commands share; only the commands read them."""

from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict
from ml_collections.config_flags import config_flags

from data_pipeline.service import DataService
from data_pipeline.support.errors import UserError, of_flag
from t2i_tf.training.machinery import replicas


def define_config() -> None:
    """Defines --config, a preset's name or a file, and --config.<section>.<name> for its values."""
    config_flags.DEFINE_config_file("config", None, "Preset, as in --config=tiny, or a file.")
    flags.FLAGS["config"].parser = _PresetParser("config")


def define_training() -> None:
    """Defines the flags that both trainers take."""
    define_config()
    flags.DEFINE_string("data_dir", None, "Data set that build_tfrecords wrote.")
    flags.DEFINE_string("workdir", None, "Folder of this run.")
    define_strategy()
    flags.DEFINE_list(
        "data_service",
        [],
        "grpc://host:port of each data_pipeline.serve; they decode the pictures.",
    )
    flags.DEFINE_boolean(
        "deterministic",
        None,
        "Whether equal runs end with equal weights, bit for bit; by default on CPUs, where it "
        "costs nothing, and not on GPUs, where it costs speed.",
    )
    flags.DEFINE_integer(
        "keep_every",
        0,
        "Checkpoints between two models that are kept in snapshots/; 0 keeps none.",
        lower_bound=0,
    )
    flags.DEFINE_list("profile", None, "FIRST,LAST: steps of this call to trace.")
    flags.mark_flags_as_required(["config", "data_dir", "workdir"])


_PRESETS = Path(__file__).parents[2] / "configs"


def define_strategy() -> None:
    """Defines the flags for the devices that train."""
    flags.DEFINE_enum("strategy", "auto", replicas.STRATEGIES, "Devices that train together.")
    flags.DEFINE_integer(
        "cpu_devices", 1, "Logical devices of the CPU, to try a strategy.", lower_bound=1
    )


def preset(name: str) -> ConfigDict:
    """A preset that comes with the package.

    Raises:
        UserError: There is no preset of this name.
    """
    return _PresetParser("config").parse(name)


def deterministic(asked: bool | None) -> bool:
    """The value of --deterministic, or its default for this machine where it is None."""
    return not replicas.gpus() if asked is None else asked


def data_service(addresses: Sequence[str]) -> DataService | None:
    """The service of the machines that --data_service names, if there are any.

    Raises:
        UserError: See `DataService`.
    """
    with of_flag("data_service"):
        return DataService(addresses) if addresses else None


class _PresetParser(config_flags.ConfigFileFlagParser):
    """Finds the package's presets from any working directory."""

    def parse(self, path: str) -> ConfigDict:
        name, colon, size = path.partition(":")
        file = _config_file(name)
        try:
            config = super().parse(f"{file}{colon}{size}")
        except Exception as error:  # A config is a program, which fails in any way.
            # The last line, after a trace, gives the reason.
            reason = (str(error).splitlines() or [type(error).__name__])[-1]
            raise UserError(f"--config={path} cannot be read: {reason}") from error
        if not isinstance(config, ConfigDict):
            raise UserError(f"--config={path}: get_config() returns no ConfigDict")
        return config


def _config_file(name):
    """The file of a preset or a path; a path into configs/ works from any working directory."""
    path = Path(name)
    if path.suffix == ".py" and path.is_file():
        return path
    files = (file for file in _PRESETS.glob("*.py") if "def get_config" in file.read_text())
    presets = {file.stem: file for file in files}
    if str(path.parent) in (".", _PRESETS.name) and path.stem in presets:
        return presets[path.stem]
    raise UserError(
        f"--config={name} is neither a file nor a preset: the presets are "
        f"{', '.join(sorted(presets))}"
    )
