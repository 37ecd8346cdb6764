import os
import signal

import pytest

from t2i_tf.training.callbacks import StopOnSignal
from tests.t2i_tf.training.callbacks.helpers import At, Counter, interval_end, train


def own(received):
    """One worker: what it got is what any got."""
    return received


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_the_running_step_and_ends(number):
    handler, saved, stop = signal.getsignal(number), [], StopOnSignal(0, own)
    kill = At(2, lambda: os.kill(os.getpid(), number))
    model = Counter()
    train(model, [stop, kill, interval_end(save=saved.append)])
    assert stop.received == number and stop.step == 3
    assert saved == [3] and int(model.steps) == 3
    assert signal.getsignal(number) is handler


@pytest.mark.parametrize("alone", [True, False])
def test_of_several_workers_all_stop_at_the_same_step(alone):
    """Another worker's signal is learnt after the step."""
    steps, model = iter([False, True]), Counter()
    stop = StopOnSignal(0, lambda received: next(steps), alone)
    stop.ASK_EVERY = 1
    train(model, [stop])
    assert stop.received == signal.SIGTERM and int(model.steps) == 2


def test_one_of_several_workers_asks_the_others_before_it_stops():
    model, asked = Counter(), []

    def others(received):
        asked.append(received)
        return len(asked) == 4

    stop = StopOnSignal(0, others, alone=False)
    stop.ASK_EVERY = 1
    train(model, [stop, At(0, lambda: os.kill(os.getpid(), signal.SIGINT))])
    assert asked == [False, True, True, True]
    assert int(model.steps) == 4 and stop.received == signal.SIGINT


def test_a_second_signal_acts_at_once():
    def kill_twice():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    model = Counter()
    with pytest.raises(KeyboardInterrupt):
        train(model, [StopOnSignal(0, own), At(1, kill_twice)])
    assert int(model.steps) == 2


def test_signals_mean_what_they_did_after_training():
    handlers = [signal.getsignal(number) for number in StopOnSignal.SIGNALS]
    stop = StopOnSignal(0, own)
    train(Counter(), [stop])
    assert [signal.getsignal(number) for number in StopOnSignal.SIGNALS] == handlers
    assert stop.received is None and stop.step == 10
