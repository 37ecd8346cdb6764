"""Visitors who draw on the page all at once: how long each waits, and whether any is lost.

    python -m export.app --port=7860
    python -m benchmarks.visitors --page=http://127.0.0.1:7860    # in another terminal

Needs requirements-app.txt.
"""

import threading
import time

import numpy as np
from absl import flags
from gradio_client import Client

from data_pipeline.support.errors import run

CAPTION = "a small red bird with black wings"


def visit(
    page: str, visitor: int, seconds: float, pictures: int
) -> tuple[list[float], list[float]]:
    """Draws again and again; returns the seconds to each first picture and to each last."""
    # The page believes this of a client on its own machine; the limit counts by address.
    client = Client(page, headers={"X-Forwarded-For": f"10.0.0.{visitor}"}, verbose=False)
    firsts, lasts = [], []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.monotonic()
        growing = client.submit(CAPTION, len(lasts), pictures, 1.0, api_name="/draw")
        next(iter(growing))
        firsts.append(time.monotonic() - started)
        if growing.result()["total"] != pictures:
            raise RuntimeError(f"visitor {visitor} got other pictures")
        lasts.append(time.monotonic() - started)
    return firsts, lasts


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("page", "http://127.0.0.1:7860", "The page's address.")
    flags.DEFINE_integer("visitors", 20, "Who draw at once.", 1, 250)
    flags.DEFINE_float("seconds", 60.0, "How long they go on.", 1.0)
    flags.DEFINE_integer("pictures", 6, "Of each request.", 1, 64)


def main(arguments: list[str]) -> None:
    """Prints how long visitors wait."""
    options = flags.FLAGS
    waited, failed = [], []

    def draw(visitor):
        try:
            waited.append(visit(options.page, visitor, options.seconds, options.pictures))
        except Exception as error:  # Counted below: any error loses a visitor.
            failed.append(f"visitor {visitor}: {error}")

    threads = [threading.Thread(target=draw, args=(i,)) for i in range(options.visitors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, place in (("first", 0), ("last", 1)):
        seconds = np.concatenate([times[place] for times in waited])
        print(
            f"{len(seconds)} requests, {name} picture after: median {np.median(seconds):.2f} s, "
            f"95 % {np.percentile(seconds, 95):.2f} s, longest {seconds.max():.2f} s"
        )
    print(f"lost: {len(failed)}", *failed, sep="\n")


if __name__ == "__main__":
    run(main, define_flags)
