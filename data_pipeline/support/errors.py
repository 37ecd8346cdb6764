"""Reports bad input in every entry point: one clear line and a non-zero exit code."""

import atexit
import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator

from absl import app, flags, logging


class UserError(Exception):
    """Bad input that the user has to fix.

    The message says what is wrong, where, and what to do about it; `run` shows it
    without a traceback.
    """


class StoppedError(UserError):
    """Something outside ended the work; the same command goes on with what is finished."""


@contextlib.contextmanager
def of_flag(name: str) -> Iterator[None]:
    """Adds the flag's name to a `UserError` that is raised inside and is about its value."""
    try:
        yield
    except UserError as error:
        raise UserError(f"--{name}: {error}") from error


def run(
    main: Callable[[list[str]], None],
    define_flags: Callable[[], None] = lambda: None,
    others_flags: str = "",
) -> None:
    """Runs `main` under absl's flag parsing; a `UserError` ends the program with exit code 1.

    A file that cannot be read or written does the same, and so does an argument that is no flag.
    SIGTERM and Ctrl-C end the program at once, but half-written files are removed.

    Args:
        main: called with the program's name, and the arguments after `--`, which `others_flags`
            admits.
        define_flags: defines the command's flags.
        others_flags: the flag beside which `--` may stand, and after it flags of another program.
    """

    def guarded(arguments: list[str]) -> None:
        if not flags.FLAGS["verbosity"].present:  # app.run has set INFO by now
            logging.set_verbosity(logging.WARNING)
        signal.signal(signal.SIGTERM, _terminate)
        if callable(signal.getsignal(signal.SIGINT)):  # Not ignored, as in a shell's background.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            _check_arguments(arguments[1:], others_flags)
            main(arguments)
        except (KeyboardInterrupt, _Terminated) as error:
            number = signal.SIGTERM if isinstance(error, _Terminated) else signal.SIGINT
            print("interrupted", file=sys.stderr)
            _leave(128 + number)
        except Exception as error:
            if (line := _line(error)) is None:
                raise
            print(f"error: {line}", file=sys.stderr)
            _leave(1)

    defined = set(flags.FLAGS)
    define_flags()
    for name in set(flags.FLAGS) - defined:  # --help shows only flags of the program's own module.
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[name])
    # --help begins with the docstring of __main__, which an installed command's script lacks.
    sys.modules["__main__"].__doc__ = sys.modules[main.__module__].__doc__
    app.run(guarded, flags_parser=_parse)


class _Terminated(BaseException):
    """SIGTERM came."""


def _terminate(number, frame):
    raise _Terminated


def _line(error):
    """What an error says to the user; None if it is a fault of the program."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError):
        reason = error.strerror or str(error) or type(error).__name__
        return f"{error.filename}: {reason}" if error.filename else reason
    # Inside tf.data, TensorFlow keeps of a UserError its text alone.
    passed_on = re.search(rf"\b{UserError.__name__}: (.+)", str(error))
    return passed_on and passed_on[1]


def _leave(code):
    """Ends the program without waiting for its threads, which may wait for a server."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    atexit._run_exitfuncs()  # TensorFlow removes its temporary files there.
    os._exit(code)


def _check_arguments(arguments, others_flags):
    admitted = others_flags and flags.FLAGS[others_flags].value is not None
    if arguments and not (admitted and arguments[0].startswith("--")):
        raise UserError(
            f"unexpected argument {arguments[0]!r}: write --name=value, a value with spaces in "
            "quotes, a list with commas"
        )


def _parse(arguments):
    try:
        return app.parse_flags_with_usage(arguments)
    except AttributeError as error:  # ml_collections raises this for an unknown value.
        print(f"error: the config has no value {error}", file=sys.stderr)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
    sys.exit(1)
