"""The options of GAN training, and all checks of a config before anything else is read."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from ml_collections import ConfigDict

from data_pipeline.support.errors import UserError
from t2i_tf.networks.discriminator import Discriminator
from t2i_tf.networks.generator import Generator
from t2i_tf.networks.image_encoder import KINDS
from t2i_tf.networks.text_encoder import TextEncoder
from t2i_tf.training.diffaugment import POLICIES
from t2i_tf.training.losses import LOSSES
from t2i_tf.training.repeats import EVERY

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
STATISTICS = ("batch", "running")


@dataclasses.dataclass(frozen=True)
class GanOptions:
    """The options of GAN training: the section `loss` of a config.

    Attributes:
        damsm_weight: lambda, the weight of the matching losses of the last stage's image; 0 leaves
            them out.
        damsm_warmup_steps: Steps over which lambda rises from 0.
        kl_weight: Weight of the conditioning augmentation's KL divergence.
        adversarial_loss: `"cross_entropy"` or `"hinge"`, see `discriminator_loss`.
        gradient_penalty: Weight of the matching-aware gradient penalty on real images with their
            sentences (Tao et al., 2022, DF-GAN, eq. 2); 0 leaves it out.
        r1_penalty: Weight of the R1 penalty on real images; 0 leaves it out.
        diffaugment: The augmentations of all images that discriminators see, see `diffaugment`;
            DAMSM sees the images without them.
        generator_steps: Steps of the generator after each step of the discriminators, each with its
            own noise.
        diversity_weight: Weight of the term that pulls images of one caption apart (Yang et al.,
            2019, diversity-sensitive GAN, eq. 4), measured on a quarter of the batch; 0 leaves it
            out.
        diversity_limit: Mean absolute difference, per unit of noise, past which images are not
            pulled further apart (the paper's tau).
        ema_decay: Decay of the average of the generator's weights; the first steps use
            (1 + step) / (10 + step) if that is smaller.

    Raises:
        ValueError: An option is out of its range.
    """

    damsm_weight: float
    damsm_warmup_steps: int
    kl_weight: float
    adversarial_loss: str
    gradient_penalty: float
    r1_penalty: float
    diffaugment: tuple[str, ...]
    generator_steps: int
    diversity_weight: float
    diversity_limit: float
    ema_decay: float

    def __post_init__(self):
        object.__setattr__(self, "diffaugment", tuple(self.diffaugment))
        if self.adversarial_loss not in LOSSES:
            raise ValueError(
                f"adversarial_loss must be one of {LOSSES}, got {self.adversarial_loss!r}"
            )
        if unknown := [name for name in self.diffaugment if name not in POLICIES]:
            raise ValueError(f"diffaugment must be of {tuple(POLICIES)}, got {unknown[0]!r}")
        if self.generator_steps < 1:
            raise ValueError(f"generator_steps must be at least 1, got {self.generator_steps}")
        if not 0.0 <= self.ema_decay < 1.0:
            raise ValueError(f"ema_decay must be at least 0 and below 1, got {self.ema_decay}")
        for name in ("damsm_weight", "damsm_warmup_steps", "kl_weight", "gradient_penalty"):
            _at_least_0(name, getattr(self, name))
        for name in ("r1_penalty", "diversity_weight", "diversity_limit"):
            _at_least_0(name, getattr(self, name))


def _at_least_0(name, value):
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be at least 0, got {value}")


def gan_options(config: ConfigDict) -> GanOptions:
    """The options in a config's section `loss`.

    Raises:
        UserError: One is missing, unknown or out of its range.
    """
    try:
        return GanOptions(**config.loss)
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"the config's section loss: {error}") from error


def in_steps(config: ConfigDict, images: int) -> ConfigDict:
    """Turns a schedule in epochs, as papers give it, into steps.

    With `train.epochs`, the numbers of `train` that are None follow from the data set and the batch
    size: `steps` covers all epochs, `decay_start` is their end (no decay), and
    `steps_per_checkpoint`, `decay_steps` and `adam_restart_steps` are one epoch. An epoch has
    images // batch_size steps, because the published code drops the remaining images. Numbers that
    are given stay.

    Args:
        config: A checked config.
        images: Size of the training split.

    Returns:
        A config without `train.epochs`, in which no number is None, checked.

    Raises:
        UserError: An epoch is needed and the data set is smaller than a batch; there are neither
            steps nor epochs; or the numbers do not fit together.
    """
    values = config.to_dict()
    train = values["train"]
    epochs = train.pop("epochs", None)
    if None in train.values():
        epoch = images // train["batch_size"]
        if not epoch:
            raise UserError(
                f"train.batch_size={train['batch_size']}, but the data set has {images} images to "
                "train on: an epoch would have no step"
            )
        if train["steps"] is None:
            if epochs is None:
                raise UserError("the config has neither train.steps nor train.epochs")
            train["steps"] = epochs * epoch
        lengths = {
            "steps_per_checkpoint": min(epoch, train["steps"]),
            "decay_start": train["steps"],
            "decay_steps": epoch,
            "adam_restart_steps": epoch,
        }
        train |= {name: n for name, n in lengths.items() if name in train and train[name] is None}
    resolved = ConfigDict(values).lock()
    _check_training(resolved.train)
    return resolved


def check(config: ConfigDict, replicas: int = 1, deterministic: bool = True) -> None:
    """Checks a whole config, before data or weights are read.

    Args:
        config: The config of a DAMSM, or of a GAN, which has a section `generator`; numbers that
            `in_steps` has yet to fill in are None.
        replicas: Number of replicas that train together.
        deterministic: Whether equal runs must end with equal weights, bit for bit.

    Raises:
        UserError: A value is out of its range, or two values do not fit together.
    """
    options = gan_options(config) if "generator" in config else None
    _check_ranges(config)
    try:
        _check_networks(config)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise UserError(f"the config does not fit: {str(error).splitlines()[0]}") from error
    _check_training(config.train)
    _check_trunk(config)
    _check_replicas(config.train, options, replicas)
    if config.train.jit_compile and deterministic:
        raise UserError(
            "train.jit_compile=True does nothing where runs are deterministic: Keras then compiles "
            "no step. Train with deterministic=False, or without jit_compile"
        )


def _check_networks(config):
    """Makes the networks without their weights, because they raise errors for invalid options."""
    TextEncoder(2, **config.text_encoder)
    if config.image_encoder.kind not in KINDS:
        raise ValueError(
            f"image_encoder.kind must be one of {KINDS}, got {config.image_encoder.kind!r}"
        )
    if "generator" not in config:
        return
    sizes = Generator(**config.generator).image_sizes
    for size in sizes:
        Discriminator(size, **config.discriminator)
    if config.data.image_size != sizes[-1]:
        raise ValueError(
            f"data.image_size={config.data.image_size}, but the last of generator.stages="
            f"{config.generator.stages} draws {sizes[-1]} px"
        )


_TINY = 1e-9
# The numbers of each section: the least value, and where there is one, the value that is too much.
_RANGES = {
    "data": {"image_size": (8,), "max_words": (1,), "crop_jitter": (0, 1 + _TINY)},
    "text_encoder": {"units": (2,), "embedding_dim": (1,), "dropout": (0, 1)},
    "image_encoder": {"input_size": (64,), "filters": (1,)},
    "damsm": {"gamma1": (_TINY,), "gamma2": (_TINY,), "gamma3": (_TINY,)},
    "generator": {
        **dict.fromkeys(("stages", "filters", "noise_dim", "condition_dim"), (1,)),
        "residual_blocks": (0,),
        "base_size": (8,),
        "logvar_bias": (-100, 100),
    },
    "discriminator": {"filters": (1,)},
    "train": {
        **dict.fromkeys(("epochs", "steps", "steps_per_checkpoint", "steps_per_execution"), (1,)),
        **dict.fromkeys(("learning_rate", "generator_learning_rate"), (0,)),
        **dict.fromkeys(("discriminator_learning_rate", "adam_restart_steps", "decay_start"), (0,)),
        "batch_size": (2,),
        "checkpoints_per_sample": (1,),
        "decay_steps": (1,),
        "decay_rate": (_TINY, 1 + _TINY),
        "beta_1": (0, 1),
        "clip_norm": (_TINY,),
    },
}


def _check_ranges(config):
    for section, ranges in _RANGES.items():
        for name, (least, *limit) in ranges.items():
            value = config[section].get(name) if section in config else None
            (too_much,) = limit or [math.inf]
            if value is not None and not least <= value < too_much:  # Nor is NaN within.
                raise UserError(f"{section}.{name}={value} must be {_range(least, too_much)}")


def _range(least, too_much):
    """A range in words."""
    from_least = "above 0" if least == _TINY else f"at least {least:g}"
    if too_much == math.inf:
        return from_least
    to_limit = "at most 1" if too_much == 1 + _TINY else f"below {too_much:g}"
    return f"{from_least} and {to_limit}"


def _check_training(train):
    for part, whole in (
        ("steps_per_checkpoint", "steps"),
        ("steps_per_execution", "steps_per_checkpoint"),
    ):
        if None not in (train[whole], train[part]) and train[whole] % train[part]:
            raise UserError(
                f"train.{whole}={train[whole]} is no multiple of train.{part}={train[part]}"
            )
    if train.precision not in PRECISIONS:
        raise UserError(f"train.precision={train.precision} must be one of {', '.join(PRECISIONS)}")


def _check_trunk(config):
    statistics = config.train.get("trunk_statistics", STATISTICS[0])
    if statistics not in STATISTICS:
        raise UserError(
            f"train.trunk_statistics={statistics} must be one of {', '.join(STATISTICS)}"
        )
    if statistics == "running" and config.image_encoder.kind != "inception_v3":
        raise UserError(
            "train.trunk_statistics=running keeps Inception v3's own statistics, but "
            f"image_encoder.kind={config.image_encoder.kind} starts without any"
        )


def _check_replicas(train, options, replicas):
    # Captions are compared with those of the batch's other pictures.
    if train.batch_size < 2 * replicas:
        raise UserError(f"train.batch_size={train.batch_size} must be at least {2 * replicas}")
    if train.batch_size % replicas:
        below = train.batch_size // replicas * replicas
        fitting = [size for size in (below, below + replicas) if size >= 2 * replicas]
        raise UserError(
            f"train.batch_size={train.batch_size} is no multiple of {replicas} replicas: "
            f"{' and '.join(map(str, fitting))} are the nearest that fit. The learning rates stay "
            "as they are, whatever the batch size"
        )
    if replicas == 1:
        return
    rows = train.batch_size // replicas
    if options and options.diversity_weight and rows % EVERY:
        raise UserError(
            f"loss.diversity_weight takes replicas of a multiple of {EVERY} images, not "
            f"{rows}: change train.batch_size={train.batch_size}"
        )
    one_only = {
        "steps_per_execution": train.steps_per_execution > 1,
        "precision": train.precision == "mixed_float16",
        "jit_compile": train.jit_compile,
    }
    for name in (name for name, wanted in one_only.items() if wanted):
        raise UserError(f"train.{name}={train[name]} does not work with {replicas} replicas")


def differences(old: Mapping, new: Mapping, prefix: str = "") -> set[str]:
    """Dotted names of the values in which two nested configs differ; tuples equal lists."""
    changed = set()
    for key in old.keys() | new.keys():
        name = f"{prefix}{key}"
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            changed |= differences(a, b, f"{name}.")
        elif _plain(a) != _plain(b):
            changed.add(name)
    return changed


def _plain(value):
    is_sequence = isinstance(value, Sequence) and not isinstance(value, str)
    return [_plain(item) for item in value] if is_sequence else value
