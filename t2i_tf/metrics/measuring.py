"""From what a user asks for to a report: of a model, of pretrained encoders, of a folder."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from data_pipeline.support.errors import UserError, of_flag
from data_pipeline.support.hashing import file_sha256
from t2i_tf.metrics import catalogue, clip, inception, protocol, streams
from t2i_tf.metrics.real import Judge, RealSet
from t2i_tf.models import model_directory
from t2i_tf.models.dump import Dump

OWN = "own DAMSM"


@dataclasses.dataclass(frozen=True)
class Measuring:
    """What is measured, and against what; networks are loaded once for several models.

    Attributes:
        data_dir: The data set with captions and real pictures, or None.
        metrics: See `catalogue.choose`.
        num_images: Pictures to draw or read.
        networks: See `inception.load_all`.
        independent: A model directory whose DAMSM also judges, or None.
        clip: See `clip.judge`, or None.
        seed: Decides captions and noise.
        max_words: Words read of a caption; None leaves it to each model.
        devices: Names of the devices that draw, see `streams.drawn_pictures`.
    """

    data_dir: str | None
    metrics: Sequence[str] | None = None
    num_images: int = 30000
    networks: Sequence[str] = (inception.IMAGENET,)
    independent: str | None = None
    clip: str | None = None
    seed: int = 0
    max_words: int | None = None
    devices: Sequence[str | None] = (None,)

    def of_model(
        self,
        directory: str | Path,
        folder: Path,
        own: Judge | None = None,
        dump_dir: str | Path | None = None,
    ) -> dict:
        """The report of a model, or of encoders where there is no generator.

        Args:
            directory: What `model_directory.find` takes.
            folder: Where the features of real pictures are kept.
            own: The DAMSM that judges; by default the model's.
            dump_dir: Where to write the pictures, see `dump`; None writes none.

        Raises:
            UserError: See `catalogue.choose`, `protocol.evaluate`, and what loads models.
        """
        found = model_directory.find(directory)
        weights = model_directory.weights_file(found, "generator")
        if (found / model_directory.CONFIG).is_file() and not weights.is_file():
            if dump_dir:
                raise UserError(f"--dump_dir: {directory} has no generator, it draws no pictures")
            return self._of_encoders(found, folder)
        with of_flag("metrics"):
            metrics = catalogue.choose(self.metrics, self._given(of_model=True))
        models = [self._on(device, directory) for device in self.devices]
        judging = catalogue.R_PRECISION in metrics
        if self.independent and not judging:
            raise UserError(f"--independent judges {catalogue.R_PRECISION}, which is not measured")
        if own is None and (judging or inception.DAMSM in self.networks):
            own = Judge.load(OWN, directory, self.max_words)
        judges = [own, *self._independent] if judging else []
        if catalogue.CLIP_METRIC in metrics:
            judges.append(self._clip)
        about = {"generator_sha256": file_sha256(weights)}
        dump = self._dump(dump_dir, found, models[0], about) if dump_dir else None
        pictures = streams.drawn_pictures(
            models, self.real.split, self.num_images, self.seed, self.devices, dump
        )
        pictures.about.update(about)
        extractors = self._extractors(metrics, own)
        report = protocol.evaluate(pictures, metrics, extractors, self.real, judges, folder)
        return {"of": str(directory), **report}

    def of_steps(self, models: Mapping[int, Path], folder: Path) -> list[dict]:
        """The figures of the models that a run kept, for a report's `steps`.

        Args:
            models: Model directories by their steps.
            folder: See `of_model`.

        Raises:
            UserError: See `of_model`.
        """
        reports = {step: self.of_model(path, folder) for step, path in models.items()}
        return [{"step": step, "figures": own["figures"]} for step, own in reports.items()]

    def of_folder(self, images_dir: str | Path, folder: Path) -> dict:
        """The report of a folder of pictures.

        Raises:
            UserError: See `catalogue.choose`, `protocol.evaluate` and `streams.folder_pictures`.
        """
        with of_flag("metrics"):
            metrics = catalogue.choose(self.metrics, self._given(of_model=False))
        if self.independent:
            raise UserError(f"--independent judges {catalogue.R_PRECISION}, which is not measured")
        with of_flag("images_dir"):
            pictures = streams.folder_pictures(images_dir, self.num_images)
        extractors = self._extractors(metrics, None)
        report = protocol.evaluate(pictures, metrics, extractors, self.real, [], folder)
        return {"of": str(images_dir), **report}

    def _dump(self, dump_dir, directory, model, about):
        encoder = model_directory.weights_file(directory, "text_encoder")
        decides = {
            "text_encoder_sha256": file_sha256(encoder),
            "max_words": model.config.data.max_words,
            "seed": self.seed,
            "captions": f"{self.real.name} {self.real.sha256}",
        }
        with of_flag("dump_dir"):
            return Dump(dump_dir, {**about, **decides})

    def _on(self, device, directory):
        with tf.device(device):
            return model_directory.load(directory, max_words=self.max_words)

    def _of_encoders(self, directory, folder):
        judges = [Judge.load(OWN, directory, self.max_words), *self._independent]
        judges += [self._clip] if self.clip else []
        size = model_directory.read_config(directory / model_directory.CONFIG).data.image_size
        size = size or self.real.split.info.stored_size
        report = protocol.evaluate_encoders(judges, self.real, size, folder)
        return {"of": str(directory), **report}

    def _given(self, of_model):
        """Which of `catalogue.NEEDS` there is."""
        found = [catalogue.SEEDS, catalogue.CAPTIONS] if of_model else []
        if any(network != inception.DAMSM for network in self.networks):
            found.append(catalogue.CLASSES)
        if self.real:
            found.append(catalogue.REAL)
        if self.real and self.real.of_birds:
            found.append(catalogue.ATTRIBUTES)
        if self.clip:
            found.append(catalogue.CLIP)
        return found

    @functools.cached_property
    def real(self) -> RealSet | None:
        """The real pictures."""
        return RealSet(self.data_dir) if self.data_dir else None

    def _extractors(self, metrics, own):
        if not catalogue.of_networks(metrics):
            return []
        with of_flag("inception"):
            return inception.load_all(self._loaded, own and own.extractor)

    @functools.cached_property
    def _loaded(self):
        """The networks, each loaded once; the word for DAMSM stands for each model's own."""
        with of_flag("inception"):
            return [own if own == inception.DAMSM else inception.load(own) for own in self.networks]

    @functools.cached_property
    def _independent(self):
        if not self.independent:
            return []
        return [Judge.load("independent DAMSM", self.independent, self.max_words)]

    @functools.cached_property
    def _clip(self):
        with of_flag("clip"):
            return clip.judge(self.clip)
