"""Starts commands as forks of one process that has imported what they need.

    python -m tests.faults.zygote

Each line on stdin is a JSON object: module, arguments, log, limit. The
answer is the child's pid, then its exit code. TensorFlow takes half of a command's time to import;
it has begun nothing here that a fork would break.
"""

import json
import os
import resource
import runpy
import signal
import sys

import absl.app  # noqa: F401
import grpc  # noqa: F401
import h5py  # noqa: F401
import keras  # noqa: F401
import tensorflow  # noqa: F401

import data_pipeline  # noqa: F401


def child(module, arguments, log, limit):
    """Becomes the command; does not return."""
    os.setpgid(0, 0)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    sys.argv = ["-m", *arguments]  # As Python has it while it looks for the module.
    code = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main():
    """Serves until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            child(**job)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
