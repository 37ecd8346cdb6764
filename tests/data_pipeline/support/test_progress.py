import io
import re

from data_pipeline.support.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_gets_a_line_every_tenth():
    log = io.StringIO()
    with Progress(200, "pictures", log) as progress:
        for _ in range(200):
            progress.update()
    lines = log.getvalue().splitlines()
    assert len(lines) == 10
    assert re.match(r"\[#{2}\.{22}\]  10%  20/200 pictures .*/s left +\d+:\d\d$", lines[0])
    assert re.match(r"\[#{24}\] 100% 200/200 pictures .*/s took +\d+:\d\d$", lines[-1])


def test_a_terminal_gets_one_line_redrawn():
    terminal = Terminal()
    with Progress(5, "shards", terminal) as progress:
        progress.update(5)
    assert terminal.getvalue().count("\n") == 1
    assert "\r[" in terminal.getvalue()
    assert "5/5 shards" in terminal.getvalue()


def test_nothing_to_do_shows_nothing():
    log = io.StringIO()
    with Progress(0, "pictures", log):
        pass
    assert log.getvalue() == ""
