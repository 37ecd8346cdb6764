"""Pools of processes that end with the process that started them."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def process_pool(workers: int) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """Yields a pool of `workers` processes; at the end, tasks that have not begun are dropped.

    If a signal ends the block, tasks that have begun are ended, too.
    """
    # Spawned, because a fork of a process that runs TensorFlow's threads may hang.
    pool = concurrent.futures.ProcessPoolExecutor(
        workers, mp_context=_Context(), initializer=_follow_parent
    )
    try:
        yield pool
    except BaseException as error:
        if not isinstance(error, Exception):
            for process in multiprocessing.active_children():
                process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


class _Process(multiprocessing.context.SpawnProcess):
    """Begins with Ctrl-C blocked, which its imports would answer with a traceback."""

    def start(self):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Context(multiprocessing.context.SpawnContext):
    Process = _Process


def _follow_parent():
    """Leaves Ctrl-C to the parent, and ends when the parent ends, even if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)
