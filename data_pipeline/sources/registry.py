"""The sources of raw data by name. A new one is a module with `read`, and a line here."""

import inspect
from collections.abc import Mapping

from data_pipeline.sources import celeba, coco, cub, folder, table, tfds, webdataset
from data_pipeline.sources.source import Source
from data_pipeline.support.errors import UserError

SOURCES = {
    "cub": cub.read,
    "coco": coco.read,
    "celeba": celeba.read,
    "folder": folder.read,
    "table": table.read,
    "webdataset": webdataset.read,
    "tfds": tfds.read,
}


def options_of(name: str) -> dict[str, bool]:
    """The options that a source takes, and whether it needs them."""
    parameters = inspect.signature(SOURCES[name]).parameters.values()
    return {parameter.name: parameter.default is parameter.empty for parameter in parameters}


def open_source(name: str, options: Mapping[str, object]) -> Source:
    """The source of a name, with those options that it takes.

    Args:
        name: One of `SOURCES`.
        options: Values by option; None for those that the user has not given.

    Raises:
        UserError: An option is given that the source does not take, or it needs one that is not
            given; or the source itself refuses its options.
    """
    known = options_of(name)
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option not in known:
            users = [source for source in SOURCES if option in options_of(source)]
            raise UserError(
                f"--{option} is for --source={', '.join(users)}; {name} has no use of it"
            )
    for option, needed in known.items():
        if needed and option not in given:
            what = ", the folder of the raw data" * (option == "input_dir")
            raise UserError(f"--source={name} needs --{option}{what}")
    return SOURCES[name](**given)
