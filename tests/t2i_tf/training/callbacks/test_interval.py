"""An interval's end, phase by phase."""

import os
import signal

import pytest

from data_pipeline.support.errors import UserError
from t2i_tf.training.callbacks import StopOnSignal, Watcher
from tests.t2i_tf.training.callbacks.helpers import At, Counter, interval_end, train


class Seen(Watcher):
    """Notes when it looks, and measures how often it has."""

    def __init__(self, calls, every=1):
        super().__init__(every)
        self.calls = calls
        self.times = 0

    def look(self, step):
        self.calls.append(("look", step))
        self.times += 1
        return {"seen": self.times}


def test_phases_come_in_order_and_see_all_figures_so_far():
    calls = []

    def check(step, figures):
        calls.append(("check", step, sorted(figures)))
        return {"checked": 1.0}

    def report(step, figures):
        calls.append(("report", step, sorted(figures)))

    class WithState(Counter):
        def state_figures(self):
            return {"learning_rate": 0.5}

    end = interval_end(
        watchers=[Seen(calls)],
        checks=[check],
        report=report,
        save=lambda step: calls.append(("save", step)),
    )
    train(WithState(), [end], epochs=1)
    measured = ["images_per_second", "learning_rate", "loss", "seconds_per_step", "seen"]
    assert calls == [
        ("look", 5),
        ("check", 5, measured),
        ("report", 5, sorted(["checked", *measured])),
        ("save", 5),
    ]


def test_watchers_look_at_every_few_intervals():
    calls = []
    every, second = Seen(calls), Seen([], every=2)
    train(Counter(), [interval_end(start=10, watchers=[every, second])], epochs=5)
    assert calls == [("look", step) for step in (15, 20, 25, 30, 35)]
    assert (every.times, second.times) == (5, 2)


def test_a_figure_that_is_refused_is_neither_reported_nor_saved():
    def refuse(step, figures):
        raise UserError("wrong")

    done = []
    end = interval_end(checks=[refuse], report=lambda *_: done.append(1), save=done.append)
    with pytest.raises(UserError, match="wrong"):
        train(Counter(), [end])
    assert done == []


def test_the_speed_is_that_of_the_steps_alone(monkeypatch):
    clock = iter([100.0, *(100.0 + 2 * i for i in range(1, 6))])
    monkeypatch.setattr("t2i_tf.training.callbacks.interval.time.monotonic", lambda: next(clock))
    found = {}
    train(Counter(), [interval_end(report=lambda _, figures: found.update(figures))], epochs=1)
    assert found["seconds_per_step"] == pytest.approx(2.0)
    assert found["images_per_second"] == pytest.approx(4 / 2.0)


def test_who_has_sent_a_signal_does_not_wait_for_watchers():
    reported, saved, calls = [], [], []
    end = interval_end(
        watchers=[Seen(calls)], report=lambda step, _: reported.append(step), save=saved.append
    )
    stop = StopOnSignal(0, lambda received: received)
    train(Counter(), [stop, At(2, lambda: os.kill(os.getpid(), signal.SIGTERM)), end])
    assert (calls, reported, saved) == ([], [3], [3])
    assert stop.received == signal.SIGTERM


def test_several_workers_ask_one_another_every_tenth_step():
    asked = []
    stop = StopOnSignal(3, lambda received: asked.append(stop.step) or received, alone=False)
    train(Counter(), [stop, At(2, lambda: os.kill(os.getpid(), signal.SIGTERM))], epochs=1)
    assert asked == []
    stop = StopOnSignal(6, lambda received: asked.append(stop.step) or received, alone=False)
    train(Counter(), [stop, At(2, lambda: os.kill(os.getpid(), signal.SIGTERM))], epochs=2)
    assert (asked, stop.step) == ([10], 10)
