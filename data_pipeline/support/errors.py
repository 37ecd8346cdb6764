"""Reports bad input in every entry point: one clear line and a non-zero exit code."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator

from absl import app, flags, logging


class UserError(Exception):
    """Bad input that the user has to fix.

    The message says what is wrong, where, and what to do about it; `run` shows it
    without a traceback.
    """


@contextlib.contextmanager
def of_flag(name: str) -> Iterator[None]:
    """Adds the flag's name to a `UserError` that is raised inside and is about its value."""
    try:
        yield
    except UserError as error:
        raise UserError(f"--{name}: {error}") from error


def run(main: Callable[[list[str]], None], define_flags: Callable[[], None] = lambda: None) -> None:
    """Runs `main` under absl's flag parsing; a `UserError` ends the program with exit code 1.

    A file that cannot be read or written does the same. SIGTERM and Ctrl-C end the program at once,
    but half-written files are removed.

    Args:
        main: called with the program's name and the command line's arguments that are not flags.
        define_flags: defines the command's flags.
    """

    def guarded(arguments: list[str]) -> None:
        if not flags.FLAGS["verbosity"].present:  # app.run has set INFO by now
            logging.set_verbosity(logging.WARNING)
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        try:
            main(arguments)
        except (UserError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            sys.exit(128 + signal.SIGINT)

    defined = set(flags.FLAGS)
    define_flags()
    for name in set(flags.FLAGS) - defined:  # --help shows only flags of the program's own module.
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[name])
    # --help begins with the docstring of __main__, which an installed command's script lacks.
    sys.modules["__main__"].__doc__ = sys.modules[main.__module__].__doc__
    app.run(guarded, flags_parser=_parse)


def _parse(arguments):
    try:
        return app.parse_flags_with_usage(arguments)
    except AttributeError as error:  # ml_collections raises this for an unknown value.
        print(f"error: the config has no value {error}", file=sys.stderr)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
    sys.exit(1)
