"""The flags that several commands share; only commands read them."""

from pathlib import Path

from absl import flags
from ml_collections import ConfigDict
from ml_collections.config_flags import config_flags

from data_pipeline.support.errors import UserError
from t2i_tf.training.machinery import replicas


def define_config() -> None:
    """Defines --config, a preset's name or a file, and --config.<section>.<name> for its values."""
    config_flags.DEFINE_config_file("config", None, "Preset, as in --config=tiny, or a file.")
    flags.FLAGS["config"].parser = _PresetParser("config")


def define_training() -> None:
    """Defines what both trainers take."""
    define_config()
    flags.DEFINE_string("data_dir", None, "Data set of data_pipeline.build_tfrecords.")
    flags.DEFINE_string("workdir", None, "Folder of this run.")
    flags.DEFINE_enum("strategy", "auto", replicas.STRATEGIES, "Devices that train together.")
    flags.DEFINE_integer(
        "cpu_devices", 1, "Logical devices of the CPU, to try a strategy.", lower_bound=1
    )
    flags.DEFINE_list("profile", None, "FIRST,LAST step of this call that is traced.")
    flags.mark_flags_as_required(["config", "data_dir", "workdir"])


_PRESETS = Path(__file__).parents[2] / "configs"


class _PresetParser(config_flags.ConfigFileFlagParser):
    """Finds the presets that come with the package from anywhere."""

    def parse(self, path: str) -> ConfigDict:
        name, colon, size = path.partition(":")
        return super().parse(f"{_config_file(name)}{colon}{size}")


def _config_file(name):
    """The file of a preset, or of a path; a path into configs/ is found from anywhere too."""
    path = Path(name)
    if path.suffix == ".py" and path.is_file():
        return path
    if str(path.parent) in (".", _PRESETS.name):
        preset = _PRESETS / f"{path.stem}.py"
        if preset.is_file():
            return preset
    presets = (file.stem for file in _PRESETS.glob("*.py") if "def get_config" in file.read_text())
    raise UserError(
        f"--config={name} is neither a file nor a preset: the presets are "
        f"{', '.join(sorted(presets))}"
    )
