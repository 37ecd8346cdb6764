"""Measures pictures that were generated from captions of unseen drawn birds.

unseen = UnseenBirds.load(data_dir, image_size, 400)
judge = BirdJudge(model_directory.load(damsm, need=("image_encoder",)), unseen)
reader = load_or_train_reader(data_dir, image_size, folder)
evaluate_pictures(pictures, unseen, judge, reader)
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from data_pipeline.dataset import Split
from data_pipeline.drawn.birds import COLOURS, PARTS
from data_pipeline.drawn.captions import permuted_colours, told
from t2i_tf.metrics import faithfulness, r_precision
from t2i_tf.models.model_directory import ModelDirectory

FIELD_SIZE = 8  # cells a side of the random fields behind colour noise


@dataclasses.dataclass(frozen=True)
class UnseenBirds:
    """Captions of species that no model was trained on, with their real pictures.

    Attributes:
        captions: N texts, the first caption of each picture.
        attributes: What is true of the birds, see `faithfulness.labels`.
        class_ids: The species, int `[N]`.
        pictures: Real renders, uint8 `[N, S, S, 3]`.
    """

    captions: list[str]
    attributes: dict[str, np.ndarray]
    class_ids: np.ndarray
    pictures: np.ndarray

    @classmethod
    def load(cls, data_dir: str | Path, image_size: int, count: int) -> "UnseenBirds":
        """The first `count` records of the test split (all, where there are fewer).

        Raises:
            UserError: The data is no built data set, or not of drawn birds.
        """
        split = Split(data_dir, "test")
        records = list(itertools.islice(split.examples(), count))
        return cls(
            captions=[record["captions"][0].decode() for record in records],
            attributes=faithfulness.labels(record["attributes"] for record in records),
            class_ids=np.array([int(record["class_id"]) for record in records]),
            pictures=faithfulness.real_pictures(split, image_size, count),
        )

    @property
    def colours(self) -> np.ndarray:
        """The colours of each bird, see `colour_table`."""
        return colour_table(self.attributes)

    @functools.cached_property
    def told(self) -> list[set[str]]:
        """For each caption the attributes besides the colours that it tells."""
        return [told(caption) for caption in self.captions]

    def __len__(self) -> int:
        return len(self.captions)

    def of_species(self, limit: int) -> list[np.ndarray]:
        """Real pictures of each species that has at least two, at most `limit` of each."""
        ids = self.class_ids
        rows = (np.flatnonzero(ids == own)[:limit] for own in np.unique(ids))
        return [self.pictures[group] for group in rows if len(group) > 1]

    @functools.cached_property
    def colour_noise(self) -> np.ndarray:
        """A picture without a bird for each caption, see `colour_noise`."""
        return colour_noise(self.colours, self.pictures.shape[1])


class BirdJudge:
    """A DAMSM that ranks captions, with the codes of the captions and of their colour exchanges.

    Args:
        model: Has an image encoder; captions are read with its vocabulary.
        unseen: The birds whose pictures are judged.
    """

    def __init__(self, model: ModelDirectory, unseen: UnseenBirds):
        self.image_encoder = model.image_encoder
        self.class_ids = unseen.class_ids
        self.sentences = r_precision.sentence_codes(model, unseen.captions)
        self.wrong_sentences = exchanged_codes(
            lambda texts: r_precision.sentence_codes(model, texts), unseen.captions
        )

    def __call__(self, pictures: np.ndarray) -> dict[str, float]:
        """`r_precision` and `r_precision_permuted` of uint8 pictures `[N, H, W, 3]`."""
        return self._scores(r_precision.picture_codes(self.image_encoder, pictures))

    def permuted_details(self, pictures: np.ndarray) -> dict[str, float]:
        """Value, chance and number of wrong captions of the permuted R-precision."""
        codes = r_precision.picture_codes(self.image_encoder, pictures)
        return r_precision.permuted_r_precision(codes, self.sentences, self.wrong_sentences)

    def recall(self, pictures: np.ndarray) -> dict[str, float]:
        """`recall_at_1`, `recall_at_5` among one picture a species, and their number `of`.

        One only, since no caption tells two pictures of a species apart.

        Args:
            pictures: The real renders of all captions.
        """
        _, rows = np.unique(self.class_ids, return_index=True)
        codes = r_precision.picture_codes(self.image_encoder, pictures[rows])
        sentences = self.sentences[rows]
        figures = {f"recall_at_{k}": r_precision.recall_at_k(codes, sentences, k) for k in (1, 5)}
        return {**figures, "recall_of": len(rows)}

    def _scores(self, codes):
        permuted = r_precision.permuted_r_precision(codes, self.sentences, self.wrong_sentences)
        return {
            "r_precision": r_precision.r_precision(codes, self.sentences, self.class_ids),
            "r_precision_permuted": permuted["value"],
        }


def exchanged_codes(
    sentences: Callable[[Sequence[str]], np.ndarray], captions: Iterable[str]
) -> list[np.ndarray]:
    """For each caption the sentence codes `[k, E]` of all exchanges of its colours.

    Args:
        sentences: Maps captions to their codes.
        captions: The captions.
    """
    exchanges = [permuted_colours(caption) for caption in captions]
    ends = np.cumsum([len(exchanged) for exchanged in exchanges])
    flat = [caption for exchanged in exchanges for caption in exchanged]
    codes = sentences(flat) if flat else np.zeros((0, 1))
    return np.split(codes, ends[:-1])


def evaluate_pictures(
    pictures: np.ndarray,
    unseen: UnseenBirds,
    judge: BirdJudge,
    reader: faithfulness.Reader,
    independent: BirdJudge | None = None,
) -> dict[str, float]:
    """Measures one picture a caption.

    Args:
        pictures: uint8 `[N, H, W, 3]`, picture i from caption i of `unseen`.
        unseen: The captions.
        judge: The DAMSM that trained the generator.
        reader: Reads what the birds look like.
        independent: A DAMSM that did not train the generator: the one that did rewards it.

    Returns:
        `r_precision`, `r_precision_permuted` and what `faithfulness.faithfulness` returns; with
        `independent` also `r_precision_independent` and `r_precision_permuted_independent`.
    """
    figures = judge(pictures)
    if independent is not None:
        figures |= {f"{name}_independent": value for name, value in independent(pictures).items()}
    return figures | faithfulness.faithfulness(reader(pictures), unseen.attributes, unseen.told)


class Readings:
    """What a reader reads from a stream of pictures; one of `scores.measure`'s scores.

    Args:
        reader: The reader.
    """

    def __init__(self, reader: faithfulness.Reader):
        self._reader = reader
        self._batches = []

    def update(self, images: np.ndarray) -> None:
        """Adds the next pictures, uint8 `[B, H, W, 3]`."""
        self._batches.append(self._reader(images))

    @property
    def read(self) -> dict[str, np.ndarray]:
        """What was read so far, int `[N]` by attribute."""
        names = self._reader.names
        return {name: np.concatenate([batch[name] for batch in self._batches]) for name in names}


def colour_table(attributes: Mapping[str, np.ndarray]) -> np.ndarray:
    """Places in `COLOURS` of birds' colours, int `[N, 3]` in order of `PARTS`."""
    return np.stack([attributes[part] for part in PARTS], axis=1)


def colour_noise(colours: np.ndarray, image_size: int, seed: int = 0) -> np.ndarray:
    """Makes pictures without birds: smooth blotches in the colours of each caption.

    Args:
        colours: int `[N, 3]`, see `colour_table`.
        image_size: S.
        seed: Decides the blotches.

    Returns:
        uint8 `[N, S, S, 3]`.
    """
    rng = np.random.default_rng(seed)
    palette = np.array(list(COLOURS.values()), np.float64)
    pictures = []
    for bird in colours:
        fields = [_smooth_field(rng, image_size) for _ in bird]
        shares = np.exp(4.0 * np.stack(fields, axis=-1))
        shares /= shares.sum(axis=-1, keepdims=True)
        pictures.append(shares @ palette[bird])
    return np.round(pictures).astype(np.uint8)


def _smooth_field(rng, size):
    field = Image.fromarray(rng.standard_normal((FIELD_SIZE, FIELD_SIZE)).astype(np.float32))
    return np.asarray(field.resize((size, size), Image.Resampling.BICUBIC))
