"""A progress bar in plain text, with rate and estimated time left."""

import sys
import time
from typing import TextIO

_BAR_WIDTH = 24
_REDRAW_SECONDS = 0.1


class Progress:
    """Counts finished pieces of work and shows them on a stream.

    On a terminal one line is redrawn in place; elsewhere (a log file, a pipe) a line is written
    after every tenth of the work.

    Example:

            with Progress(len(paths), "pictures") as progress:
                for path in paths:
                    convert(path)
                    progress.update()
    """

    def __init__(self, total: int, unit: str, stream: TextIO | None = None, start: int = 0):
        """
        Args:
            total: number of pieces of work.
            unit: name of the pieces, in the plural.
            stream: where to write; standard error by default.
            start: number of pieces that an earlier run has done; they do not count towards the
                rate.

        The attribute `note` is text that follows the line.
        """
        self.total = total
        self.unit = unit
        self.done = start
        self.note = ""
        self._start_count = start
        self._stream = sys.stderr if stream is None else stream
        self._redraws = self._stream.isatty()
        self._start = time.monotonic()
        self._last_drawn = 0.0
        self._last_tenth = 10 * start // max(total, 1)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the last state on the terminal."""
        if self._redraws and self.done:
            self._stream.write("\r" + self.line() + "\n")
            self._stream.flush()

    def start(self, total: int) -> None:
        """Sets the number of pieces once it is known, and starts the clock."""
        self.total = total
        self._start = time.monotonic()

    def update(self, pieces: int = 1) -> None:
        """Counts `pieces` more as done and shows the state if it is time to."""
        self.done += pieces
        if self._redraws:
            now = time.monotonic()
            if now - self._last_drawn >= _REDRAW_SECONDS:
                self._last_drawn = now
                self._stream.write("\r" + self.line())
                self._stream.flush()
            return
        tenth = 10 * self.done // max(self.total, 1)
        if tenth > self._last_tenth:
            self._last_tenth = tenth
            self._stream.write(self.line() + "\n")
            self._stream.flush()

    def line(self) -> str:
        """The state as text, of the same width from beginning to end."""
        elapsed = time.monotonic() - self._start
        share = min(self.done / max(self.total, 1), 1.0)
        rate = (self.done - self._start_count) / elapsed if elapsed > 0 else 0.0
        filled = int(share * _BAR_WIDTH)
        bar = "#" * filled + "." * (_BAR_WIDTH - filled)
        if self.done >= self.total:
            clock = f"took {_clock(elapsed)}"
        elif rate > 0:
            clock = f"left {_clock((self.total - self.done) / rate)}"
        else:
            clock = "left  --:--"
        count = f"{self.done:>{len(str(self.total))}}/{self.total}"
        return (
            f"[{bar}] {share:4.0%} {count} {self.unit} {rate:7.1f}/s {clock} {self.note}".rstrip()
        )


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"
    return f"{text:>6}"
