"""Reads the weights in PyTorch's .pth files without running anything else that they hold.

A .pth file is a pickle, which may name any function to be called while it is read. PyTorch's own
restricted reader (`weights_only`) rebuilds tensors and refuses every other name; it reads today's
zip files and those of PyTorch before 1.6, which Python 2 may have written.
"""

import re
import warnings
from pathlib import Path

import numpy as np

from data_pipeline.support.errors import UserError

_SHOWN = 5  # keys in a message
_ZIP = b"PK\x03\x04"


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """The state dict in a .pth file.

    A state dict inside a dict of other things, such as `{"epoch": 600, "netG": {...}}`, is found if
    it is the only one; the prefix `module.`, which DataParallel puts before each key, is removed.

    Args:
        path: The file.

    Returns:
        The arrays by key, float32 where they hold weights and int64 where they count batches; they
        may be views of the file.

    Raises:
        UserError: PyTorch is not installed; the file is missing or damaged; or it holds anything
            but one state dict, or weights that are not finite. The message is one line without the
            path.
    """
    state = _only_state_dict(_load(path))
    if all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): tensor for key, tensor in state.items()}
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    if claimed > Path(path).stat().st_size:
        raise UserError(f"damaged: its tensors claim {claimed:,} bytes, more than it has")
    arrays = {key: _array(key, tensor) for key, tensor in state.items()}
    wrong = [key for key, array in arrays.items() if not np.isfinite(array).all()]
    if wrong:
        raise UserError(f"has weights that are not finite, in {_listed(wrong)}")
    return arrays


def _load(path):
    try:
        import torch
    except ImportError as error:
        raise UserError(
            "is read by PyTorch, which is missing: pip install -r requirements-torch.txt"
        ) from error
    try:
        with open(path, "rb") as file:
            mapped = file.read(len(_ZIP)) == _ZIP
        with warnings.catch_warnings(action="ignore"):
            return torch.load(str(path), map_location="cpu", weights_only=True, mmap=mapped)
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}") from error
    except Exception as error:  # Damaged files fail in the unpickler, the zip reader or PyTorch.
        refused = re.search(r"GLOBAL ([\w.]+) w", str(error))
        if refused:
            raise UserError(
                f"refused, for it wants {refused[1]}; weights need tensors only (of a whole model, "
                "saved by torch.save(model), save model.state_dict() instead)"
            ) from error
        raise UserError(
            f"damaged or no file of PyTorch's weights ({type(error).__name__})"
        ) from error


def _only_state_dict(loaded):
    import torch

    def is_state_dict(value):
        return (
            isinstance(value, dict)
            and value
            and all(isinstance(key, str) for key in value)
            and all(isinstance(item, torch.Tensor) for item in value.values())
        )

    if is_state_dict(loaded):
        return loaded
    if not isinstance(loaded, dict):
        raise UserError(f"holds a {type(loaded).__name__}, not a state dict")
    inner = [key for key, value in loaded.items() if is_state_dict(value)]
    if len(inner) == 1:
        return loaded[inner[0]]
    keys = _listed(inner or loaded)
    if inner:
        raise UserError(f"holds several state dicts ({keys}): save the one you mean by itself")
    raise UserError(f"holds a dict that is no state dict (its keys: {keys or 'none'})")


def _array(key, tensor):
    import torch

    plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
    counter = tensor.dtype == torch.int64 and not tensor.ndim
    if plain and (counter or key.endswith("num_batches_tracked")):
        return tensor.long().numpy()
    if not plain or not tensor.dtype.is_floating_point:
        raise UserError(f"has no plain weights in {key} ({tensor.dtype}, {tensor.layout})")
    return tensor.detach().float().numpy()


def _listed(keys):
    keys = [" ".join(str(key).split()) for key in keys]
    others = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + others
