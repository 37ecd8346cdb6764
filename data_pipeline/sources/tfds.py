"""Reads a data set of TensorFlow Datasets that has pictures with captions, `coco_captions` say."""

import functools
import os
from collections.abc import Iterator

import numpy as np

from data_pipeline.sources.source import Example, Report, Source, split_of
from data_pipeline.support.errors import UserError

_IMAGE = ("image",)
_CAPTION = ("captions", "caption", "text", "description")


def read(
    tfds_name: str,
    input_dir: str | os.PathLike | None = None,
    image_column: str | None = None,
    caption_column: str | None = None,
) -> Source:
    """Pictures and captions of a data set by its name in TensorFlow Datasets.

    Args:
        tfds_name: The name, with or without config and version: `coco_captions`.
        input_dir: TensorFlow Datasets' folder; by default its own, `~/tensorflow_datasets`.
        image_column: The feature of the picture; by default `image`.
        caption_column: The feature of the captions: a text, some texts, or some dicts with `text`
            or `caption`. By default the one of `captions`, `caption`, `text` that there is.

    Raises:
        UserError: tensorflow-datasets is not installed, or has no such data set.
    """
    try:
        import tensorflow_datasets
    except ImportError:
        raise UserError(
            "--source=tfds needs tensorflow-datasets: pip install -r requirements-data.txt"
        ) from None
    try:
        builder = tensorflow_datasets.builder(tfds_name, data_dir=input_dir)
    except Exception as error:  # It has several for names and folders that do not exist.
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"--tfds_name={tfds_name}: {reason[0]}") from None
    image = _choose(tfds_name, builder.info.features, "image", image_column, _IMAGE)
    caption = _choose(tfds_name, builder.info.features, "caption", caption_column, _CAPTION)
    return Source(tfds_name, functools.partial(_examples, builder, image, caption))


def _choose(name, features, role, given, usual):
    there = list(features) if hasattr(features, "keys") else []
    found = [key for key in ([given] if given else usual) if key in there]
    if not found:
        raise UserError(
            f"--tfds_name={name}: no feature for the {role}; name it by --{role}_column (features: "
            f"{', '.join(there)})"
        )
    return found[0]


def _examples(builder: object, image: str, caption: str, report: Report) -> Iterator[Example]:
    import tensorflow_datasets

    builder.download_and_prepare()
    for split_name in sorted(builder.info.splits):
        split = split_of(split_name)
        if split is None:
            report.notes.append(f"split {split_name} is not read")
            continue
        data = builder.as_dataset(
            split=split_name,
            shuffle_files=False,
            decoders={image: tensorflow_datasets.decode.SkipDecoding()},
        )
        for number, values in enumerate(data.as_numpy_iterator()):
            name = f"{split_name}/{number:08d}"
            captions = report.captions((text, name) for text in _texts(values[caption]))
            if captions:
                yield Example(name, bytes(values[image]), captions, split)


def _texts(value):
    """The texts in a caption feature, whatever it is made of."""
    if isinstance(value, dict):
        keys = [key for key in ("text", "caption", "raw") if key in value]
        return _texts(value[keys[0]]) if keys else []
    if isinstance(value, bytes):
        return [value.decode(errors="surrogateescape")]
    if isinstance(value, np.ndarray | list | tuple):
        return [text for part in value for text in _texts(part)]
    return [value]
