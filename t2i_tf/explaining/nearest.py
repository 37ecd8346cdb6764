"""Drawn or learned by heart? The training pictures that are nearest to drawn ones."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from data_pipeline.dataset import Split
from data_pipeline.support.progress import Progress
from t2i_tf.metrics.features import Extractor
from t2i_tf.metrics.scores import Recording, features_of
from t2i_tf.metrics.streams import real_pictures
from t2i_tf.models.layout import labelled_rows

SHOWN, SMALL = 5, 16


def nearest_sheet(
    texts: Sequence[str],
    drawn: np.ndarray,
    extractor: Extractor,
    train: Split,
    test: Split,
) -> tuple[Image.Image, dict[str, float]]:
    """Each drawn picture beside its nearest training pictures, by codes and by pixels.

    How near a picture lies to the training set says little alone; unseen real pictures lie near
    it too. A model that copies draws pictures that lie nearer than those.

    Args:
        texts: N captions.
        drawn: Their pictures, uint8 `[N, H, W, 3]`.
        extractor: Gives the codes, compared by cosine.
        train: The training pictures.
        test: Real pictures that the model never saw.

    Returns:
        The sheet, and the median cosine of the nearest training picture, of `drawn` ones and of
        `unseen` real ones.
    """
    size = len(drawn[0])
    codes, pixels = _read(train, size, extractor)
    unseen, _ = _read(test, size, extractor)
    cosines = _cosines(features_of(drawn, extractor, "drawn pictures"), codes)
    differences = _differences(drawn, pixels)
    nearest = {
        "by DAMSM": np.argsort(-cosines, axis=1, kind="stable")[:, :SHOWN],
        "by pixels": np.argsort(differences, axis=1, kind="stable")[:, :SHOWN],
    }
    wanted = set(np.concatenate([rows.ravel() for rows in nearest.values()]).tolist())
    found = _pictures(train, size, wanted)
    rows = []
    for i, text in enumerate(texts):
        for how, order in nearest.items():
            values = cosines if how == "by DAMSM" else differences
            form = "cosine {:.3f}" if how == "by DAMSM" else "difference {:.1f}"
            tiles = [(form.format(values[i, row]), found[row]) for row in order[i]]
            rows.append((f"{text}: nearest in training {how}", [("drawn", drawn[i]), *tiles]))
    near = [_cosines(unseen[start : start + 500], codes) for start in range(0, len(unseen), 500)]
    medians = {
        "drawn": float(np.median(cosines.max(axis=1))),
        "unseen": float(np.median(np.concatenate([own.max(axis=1) for own in near]))),
    }
    return labelled_rows(rows), medians


def _read(split, size, extractor):
    """The codes and the thumbnails of all pictures of a split."""
    recording, thumbnails = Recording(extractor, len(split)), []
    with Progress(len(split), "real pictures") as progress:
        for batch in real_pictures(split, size):
            recording.update(batch)
            thumbnails += [_small(picture) for picture in batch]
            progress.update(len(batch))
    return recording.features, np.stack(thumbnails)


def _small(picture):
    return np.asarray(Image.fromarray(picture).resize((SMALL, SMALL), Image.Resampling.BOX))


def _cosines(codes, others):
    codes, others = (
        rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-8)
        for rows in (codes, others)
    )
    return codes @ others.T


def _differences(drawn, thumbnails):
    """Root mean squared difference of levels, `[N, M]`, of thumbnails."""
    known = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    return np.stack(
        [
            np.sqrt(np.mean((known - _small(picture).reshape(-1).astype(np.float32)) ** 2, axis=1))
            for picture in drawn
        ]
    )


def _pictures(split, size, rows):
    """Some pictures of a split by their rows."""
    found, start = {}, 0
    for batch in real_pictures(split, size):
        found |= {start + i: batch[i] for i in range(len(batch)) if start + i in rows}
        start += len(batch)
        if len(found) == len(rows):
            break
    return found
