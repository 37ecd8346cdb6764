"""Initial weights: DAMSM's, and none for networks whose weights are loaded."""

import contextlib
import contextvars
from collections.abc import Iterable, Iterator

import keras

# DAMSM's initializer, as a config: `blank` finds it by its name.
UNIFORM = {"class_name": "RandomUniform", "config": {"minval": -0.1, "maxval": 0.1}}
# The shapes that weights may have; None allows all.
_ALLOWED = contextvars.ContextVar("allowed", default=None)


@keras.saving.register_keras_serializable("t2i_tf")
class Blank(keras.initializers.Zeros):
    """Zeros; inside `blank`, for weights of the allowed shapes only."""

    def __init__(self, **_):
        super().__init__()

    def __call__(self, shape, dtype=None):
        allowed = _ALLOWED.get()
        if allowed is not None and tuple(shape) not in allowed:
            raise ValueError(f"the file has no weights of shape {tuple(shape)}")
        return super().__call__(shape, dtype)


@contextlib.contextmanager
def blank(shapes: Iterable[tuple[int, ...]] | None = None) -> Iterator[None]:
    """Networks made inside start from zeros, for weights that are loaded right after.

    Drawing the orthogonal kernels of a discriminator of 256 px takes half a minute and a gigabyte.

    Args:
        shapes: Those of the weights to load. Making a kernel that is not among them raises a
            ValueError, so that a wrong size in a config takes no memory. None allows all.
    """
    drawn = ("orthogonal", "glorot_uniform", "RandomUniform")
    token = _ALLOWED.set(None if shapes is None else frozenset(map(tuple, shapes)))
    try:
        with keras.saving.custom_object_scope(dict.fromkeys(drawn, Blank)):
            yield
    finally:
        _ALLOWED.reset(token)
