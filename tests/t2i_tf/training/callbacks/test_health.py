import math

import pytest

from data_pipeline.support.errors import UserError
from t2i_tf.training.callbacks import Board, DiscriminatorWatch, StopWhenNotFinite
from tests.t2i_tf.training.callbacks.helpers import (
    Counter,
    events,
    interval_end,
    saved_step,
    saver,
    train,
)


@pytest.mark.parametrize(
    ("bad", "steps_per_execution", "named", "kept"),
    [
        (7, 1, "at step 7;", "the checkpoint of step 5 is kept"),
        (3, 1, "at step 3;", "no checkpoint was saved yet"),
        (9, 5, "at steps 6 to 10;", "the checkpoint of step 5 is kept"),
    ],
)
def test_nan_stops_the_run_and_keeps_the_checkpoint(
    bad, steps_per_execution, named, kept, tmp_path
):
    model = Counter(bad, steps_per_execution)
    finite = StopWhenNotFinite(0, tmp_path)
    end = interval_end(checks=[finite.check], save=saver(model, tmp_path))
    with pytest.raises(UserError, match=f"loss became nan {named} {kept}") as error:
        train(model, [finite, end])
    assert "\n" not in str(error.value)
    assert saved_step(model, tmp_path) == (5 if "5" in kept else 0)


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    class Growing(Counter):
        def state_figures(self):
            return {"g_weight_norm": math.inf if self.steps > 5 else 1.0}

    model, finite = Growing(), StopWhenNotFinite(0, tmp_path)
    end = interval_end(checks=[finite.check], save=saver(model, tmp_path))
    with pytest.raises(UserError, match="g_weight_norm became inf at step 10; the checkpoint of "):
        train(model, [finite, end])
    assert saved_step(model, tmp_path) == 5


def test_losses_are_named_first_and_many_are_counted(tmp_path):
    figures = {f"norm_{i}": math.nan for i in range(4)} | {"g_loss": math.inf, "fine": 1.0}
    finite = StopWhenNotFinite(0, tmp_path)
    message = r"g_loss became inf, norm_0 became nan, norm_1 became nan \(and 2 more\) at step"
    with pytest.raises(UserError, match=message):
        finite.check(5, figures)
    assert finite.check(5, {"fine": 1.0}) == {}


def judgements(*pairs):
    """Figures of intervals: accuracy on real and on fake images, of stage 1; stage 0 is healthy."""
    for real, fake in pairs:
        yield {
            "d_real_accuracy_0": 0.8,
            "d_fake_accuracy_0": 0.7,
            "g_loss_0": 1.0,
            "d_real_accuracy_1": real,
            "d_fake_accuracy_1": fake,
            "g_loss_1": 10 * fake,
        }


def winning(watch, pairs):
    """How many discriminators win after each interval of 100 steps."""
    for i, figures in enumerate(judgements(*pairs), start=1):
        (found,) = watch.check(100 * i, figures).items()
        assert found[0] == "health_discriminators_winning"
        yield found[1]


def test_a_discriminator_that_wins_is_told_once_with_advice(tmp_path, caplog):
    pairs = [(0.98, 0.9), (0.98, 0.98), (0.99, 1.0), (1.0, 0.99), (1.0, 1.0), (0.97, 0.99)]
    pairs += [(1.0, 1.0)] * 3 + [(0.9, 0.99)] + [(1.0, 1.0)] * 3
    counts = list(winning(DiscriminatorWatch(Board(tmp_path)), pairs))
    assert counts == [0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1]
    first, recovered, second = [record.getMessage() for record in caplog.records]
    assert first.startswith("step 400: the discriminator of stage 1 wins: since step 100 it knows")
    assert "g_loss_1 went from 9.80 to 9.90" in first
    assert "train.discriminator_learning_rate" in first
    assert recovered == "step 1000: the discriminator of stage 1 no longer wins"
    assert second.startswith("step 1300: the discriminator of stage 1 wins: since step 1000")
    texts = [(step, value.item()) for step, tag, value in events(tmp_path) if tag == "health"]
    assert [step for step, _ in texts] == [400, 1000, 1300]
    assert b"discriminator of stage 1 wins" in texts[0][1]


def test_the_advice_names_what_a_config_has(tmp_path, caplog):
    from configs import tiny

    list(winning(DiscriminatorWatch(Board(tmp_path)), [(1.0, 1.0)] * 3))
    (message,) = [record.getMessage() for record in caplog.records]
    config = tiny.get_config()
    named = ["train.discriminator_learning_rate", "loss.generator_steps", "discriminator.norm"]
    for name in [*named, "loss.diffaugment"]:
        section, option = name.split(".")
        assert name in message and option in config[section]


@pytest.mark.parametrize("pair", [(1.0, 0.9), (0.9, 1.0), (0.75, 0.74)])
def test_a_discriminator_that_errs_on_one_side_does_not_win(pair, tmp_path, caplog):
    assert list(winning(DiscriminatorWatch(Board(tmp_path)), [pair] * 6)) == [0] * 6
    assert not caplog.records


def test_a_model_without_discriminators_has_no_watch_to_fail(tmp_path):
    watch = DiscriminatorWatch(Board(tmp_path), start=7)
    assert watch.check(12, {"loss": 1.0}) == {}
