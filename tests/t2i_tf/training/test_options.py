"""`check`: a config's faults are told before anything else is read."""

import subprocess

import pytest

from configs import tiny, tiny_damsm
from data_pipeline.support.errors import UserError
from t2i_tf.training.flags import preset
from t2i_tf.training.options import check, differences
from tests.commands import ROOT, command


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 1),
        ("steps", 0),
        ("steps_per_checkpoint", 0),
        ("steps_per_execution", 0),
        ("checkpoints_per_sample", 0),
        ("generator_learning_rate", -1.0),
        ("discriminator_learning_rate", float("nan")),
    ],
)
def test_numbers_that_cannot_train_are_refused(name, value):
    config = tiny.get_config()
    config.train[name] = value
    with pytest.raises(UserError, match=rf"train\.{name}={value} must be at least"):
        check(config)


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("text_encoder", "cell", "foo"),
        ("image_encoder", "kind", "foo"),
        ("discriminator", "norm", "foo"),
        ("generator", "attention", "foo"),
        ("generator", "image_heads", "foo"),
    ],
)
def test_options_that_do_not_exist_are_refused(section, name, value):
    config = tiny.get_config()
    config[section][name] = value
    # A network's option may be told with its section.
    message = rf"^the config does not fit: (\w+\.)?{name} must be .*, got .*$"
    with pytest.raises(UserError, match=message):
        check(config)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("adversarial_loss", "foo"),
        ("diffaugment", ("foo",)),
        ("generator_steps", 0),
        ("ema_decay", 1.5),
        ("damsm_weight", -1.0),
    ],
)
def test_losses_that_do_not_exist_are_refused(name, value):
    config = tiny.get_config()
    config.loss[name] = value
    with pytest.raises(UserError, match=f"^the config's section loss: {name} must be .*, got .*$"):
        check(config)


@pytest.mark.parametrize(
    ("section", "name", "value", "message"),
    [
        ("train", "steps_per_checkpoint", 7, "train.steps=2250 is no multiple of train.steps_per_"),
        ("train", "steps_per_execution", 7, "train.steps_per_checkpoint=250 is no multiple of tr"),
        ("train", "precision", "float16", "train.precision=float16 must be one of float32, mixed"),
        ("data", "max_words", 0, "data.max_words=0 must be at least 1"),
        ("data", "image_size", 32, "the config does not fit: data.image_size=32, but the last of"),
        ("generator", "stages", 3, "the config does not fit: data.image_size=64, but the last of"),
    ],
)
def test_values_that_do_not_fit_together_are_refused(section, name, value, message):
    config = tiny.get_config()
    config[section][name] = value
    with pytest.raises(UserError) as error:
        check(config)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


@pytest.mark.parametrize("change", ["no_section", "more", "less"])
def test_options_are_those_that_there_are(change):
    config = tiny.get_config().unlock()
    if change == "no_section":
        del config["loss"]
    elif change == "more":
        config.loss.foo = 1
    else:
        del config.loss["kl_weight"]
    named = {"no_section": "", "more": "foo", "less": "kl_weight"}[change]
    with pytest.raises(UserError, match=f"^the config's section loss: .*{named}.*$"):
        check(config)


def test_the_presets_pass():
    check(tiny.get_config())
    check(tiny_damsm.get_config())
    check(tiny.get_config(), replicas=4)


def test_replicas_hold_whole_groups_of_repeats():
    """Or the captions that are drawn twice would be others than one device's."""
    config = tiny.get_config()
    config.train.batch_size = 12
    check(config)
    with pytest.raises(UserError, match="replicas of a multiple of 4 images, not 6: change"):
        check(config, replicas=2)
    config.loss.diversity_weight = 0.0
    check(config, replicas=2)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("batch_size", 7, "train.batch_size=7 is no multiple of 2 replicas"),
        ("batch_size", 2, "train.batch_size=2 must be at least 4"),
        ("steps_per_execution", 2, "train.steps_per_execution=2 does not work with 2 replicas"),
        ("precision", "mixed_float16", "train.precision=mixed_float16 does not work with 2 repl"),
    ],
)
def test_what_does_not_work_with_replicas_is_refused(name, value, message):
    config = tiny.get_config()
    config.train[name] = value
    with pytest.raises(UserError, match=message):
        check(config, replicas=2)


@pytest.mark.parametrize(
    ("module", "flag", "message"),
    [
        ("t2i_tf.train", "--config.train.batch_size=1", "train.batch_size=1 must be at least 2"),
        ("t2i_tf.train", "--config.loss.ema_decay=1.5", "the config's section loss: ema_decay"),
        ("t2i_tf.pretrain_damsm", "--config.train.steps=0", "train.steps=0 must be at least 1"),
    ],
)
def test_a_commands_config_is_checked_before_any_data_is_read(module, flag, message, tmp_path):
    preset = "tiny" if module == "t2i_tf.train" else "tiny_damsm"
    arguments = [f"--config={preset}", flag, "--data_dir=none", f"--workdir={tmp_path / 'run'}"]
    if module == "t2i_tf.train":
        arguments.append("--damsm=none")
    done = subprocess.run(
        command(module, *arguments), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and errors[0].startswith(f"error: {message}")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_differences_are_named_with_their_sections():
    old = {"seed": 1, "data": {"words": ("a", "b"), "size": 3}, "train": {"steps": 4}}
    assert differences(old, {**old, "data": {"words": ["a", "b"], "size": 3}}) == set()
    new = {"seed": 2, "data": {"words": ["b", "a"], "size": 3}, "train": {"steps": 4, "more": 0}}
    assert differences(old, new) == {"seed", "data.words", "train.more"}
    assert differences({"a": "xy"}, {"a": ["x", "y"]}) == {"a"}
    assert differences({"a": {"b": 1}}, {"a": None}) == {"a"}


@pytest.mark.parametrize(
    "name, value, wanted",
    [
        ("generator.stages", 0, "at least 1"),
        ("generator.filters", -1, "at least 1"),
        ("generator.residual_blocks", -1, "at least 0"),
        ("discriminator.filters", -1, "at least 1"),
        ("text_encoder.units", 0, "at least 2"),
        ("text_encoder.dropout", 1.0, "at least 0 and below 1"),
        ("image_encoder.filters", 0, "at least 1"),
        ("damsm.gamma1", 0.0, "above 0"),
        ("data.crop_jitter", 1.5, "at least 0 and at most 1"),
        ("data.crop_jitter", float("nan"), "at least 0 and at most 1"),
        ("train.beta_1", 1.0, "at least 0 and below 1"),
    ],
)
def test_numbers_out_of_their_range_are_named(name, value, wanted):
    config = preset("cub_attngan1:tiny").unlock()
    section, option = name.split(".")
    config[section][option] = value
    with pytest.raises(UserError, match=f"^{name}={value} must be {wanted}$"):
        check(config)
