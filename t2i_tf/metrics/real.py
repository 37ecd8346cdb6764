"""The real pictures that figures compare with, and the encoders that judge captions."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from data_pipeline.dataset import Split
from data_pipeline.drawn.birds import PARTS
from data_pipeline.support.errors import UserError
from data_pipeline.support.files import writing_whole
from data_pipeline.support.hashing import file_sha256
from data_pipeline.tfrecord import shard_paths
from t2i_tf.metrics import inception, r_precision, streams
from t2i_tf.metrics.features import Extractor
from t2i_tf.metrics.scores import Recording, measure
from t2i_tf.models import model_directory


@dataclasses.dataclass(frozen=True)
class Judge:
    """An encoder of pictures and one of captions, whose codes' cosine says how well they match.

    Attributes:
        name: Name of the judge in a report.
        extractor: Gives the pictures' codes.
        sentences: Maps captions to their codes `[N, E]`.
    """

    name: str
    extractor: Extractor
    sentences: Callable[[Sequence[str]], np.ndarray]

    @classmethod
    def load(cls, name: str, directory: str | Path, max_words: int | None = None) -> "Judge":
        """Loads a model directory's encoders.

        Args:
            name: Name of the judge in a report.
            directory: What `model_directory.find` takes.
            max_words: Words that the judge reads of a caption; by default those of its config.

        Raises:
            UserError: The directory lacks them.
        """
        found = model_directory.find(directory)
        weights = model_directory.weights_file(found, "image_encoder")
        if (found / model_directory.CONFIG).is_file() and not weights.is_file():
            raise UserError(
                f"{directory} has no image encoder ({weights.name}), which r_precision and the "
                f"network {inception.DAMSM} need: leave them out"
            )
        model = model_directory.load(directory, need=("image_encoder",), max_words=max_words)
        return cls(
            name,
            inception.damsm_extractor(model.image_encoder, directory),
            lambda texts: r_precision.sentence_codes(model, texts),
        )

    def described(self) -> dict[str, str]:
        """What a report says of the judge."""
        extractor = self.extractor
        return {
            "judge": self.name,
            "network": extractor.name,
            "weights": extractor.weights,
            "sha256": extractor.sha256,
        }


class RealSet:
    """The real pictures of a data set's test split.

    Args:
        data_dir: The data set.

    Attributes:
        split: The `Split`.
        name: `<dataset>-test`.
        of_birds: Whether the records say what their birds look like, as drawn birds' do.
        sha256: SHA-256 of its shards.
    """

    def __init__(self, data_dir: str | Path):
        self.split = Split(data_dir, "test")
        dataset = self.split.info.dataset
        self.name = f"{dataset}-test"
        first = self.split.example(0)["attributes"]
        self.of_birds = bool(first) and set(PARTS) <= set(json.loads(first))
        self.sha256 = file_sha256(*shard_paths(data_dir, dataset, "test"))

    def features(self, extractor: Extractor, size: int, folder: Path) -> np.ndarray:
        """A network's features of all pictures, float32 `[N, D]`.

        Args:
            extractor: The network.
            size: Side of the pictures in pixels.
            folder: Where the first call keeps the features, and later ones find them.

        Raises:
            UserError: The kept features are damaged.
        """
        parts = (self.sha256, size, extractor.sha256, extractor.resize)
        key = hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
        path = folder / f"real_{extractor.scale}_{key}.npy"
        if path.is_file():
            return self._kept(path, extractor)
        count = len(self.split)
        recording = Recording(extractor, count)
        pictures = streams.real_pictures(self.split, size)
        measure(pictures, count, [recording], f"real pictures ({extractor.scale})")
        with writing_whole(path) as partial, partial.open("wb") as file:
            np.save(file, recording.features)
        return recording.features

    def _kept(self, path, extractor):
        try:
            features = np.load(path)
            if features.shape != (len(self.split), extractor.dim):
                raise ValueError(f"features {list(features.shape)}")
        except (OSError, EOFError, ValueError) as error:
            raise UserError(
                f"{path} does not hold the features of {self.name} ({error}): delete it, and it is "
                "made again"
            ) from error
        return features

    def same_class(self, size: int, classes: int, limit: int) -> list[np.ndarray]:
        """Real pictures of the first classes, uint8 `[n, size, size, 3]` with 2 <= n <= `limit`."""
        groups = {}
        ids = iter(streams.first_captions(self.split)[1])
        for batch in streams.real_pictures(self.split, size):
            for picture in batch:
                own = int(next(ids))
                if own in groups or len(groups) < classes:
                    groups.setdefault(own, []).append(picture)
                    del groups[own][limit:]
        return [np.stack(group) for group in groups.values() if len(group) > 1]
