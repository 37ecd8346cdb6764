"""R-precision and recall: whether pictures and captions find each other by their codes' cosine.

The first functions are pure and take codes, rows of a matrix; the last two make such codes with
DAMSM's encoders.
"""

from collections.abc import Sequence

import keras
import numpy as np

from data_pipeline.pixels import to_float
from t2i_tf.metrics.figures.interval import FOLDS, Figure
from t2i_tf.models.captions import encode
from t2i_tf.models.model_directory import ModelDirectory

BATCH_SIZE, WRONG = 100, 99
RECALL_ROWS = 1000  # captions at a time, so that large splits fit into memory


def recall_at_k(codes: np.ndarray, sentences: np.ndarray, k: int) -> float:
    """Share of captions whose own picture is among the k most similar of all pictures.

    Args:
        codes: Picture codes `[N, E]`, row i the picture of caption i.
        sentences: Sentence codes `[N, E]`.
        k: How many pictures each caption retrieves.
    """
    return float(np.mean(found_at_k(codes, sentences, k)))


def found_at_k(targets: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """For each query whether its own target is among the k most similar of all targets.

    Args:
        targets: Codes `[N, E]`, row i that of query i.
        queries: Codes `[N, E]`.
        k: How many targets each query retrieves.

    Returns:
        bool `[N]`.
    """
    targets, queries = _normalized(targets), _normalized(queries)
    found = []
    for start in range(0, len(targets), RECALL_ROWS):
        similarity = queries[start : start + RECALL_ROWS] @ targets.T
        own = similarity[np.arange(len(similarity)), start + np.arange(len(similarity))]
        found.append((similarity >= own[:, None]).sum(axis=1) <= k)
    return np.concatenate(found)


def r_precision(
    codes: np.ndarray,
    sentences: np.ndarray,
    class_ids: Sequence[int],
    seed: int = 0,
    wrong: int = WRONG,
) -> float:
    """Share of pictures whose own caption beats all of `wrong` captions of other classes.

    The R-precision of AttnGAN (section 4) with R = 1; by chance it is 1 / (1 + wrong).
    Arguments and errors are those of `first_ranks`.
    """
    return float(np.mean(first_ranks(codes, sentences, class_ids, seed, wrong)))


def fold_r_precision(
    codes: np.ndarray, sentences: np.ndarray, class_ids: Sequence[int], seed: int = 0
) -> Figure:
    """`r_precision` with its mean and population standard deviation over 10 parts, as published.

    Each picture meets wrong captions of all parts. Arguments and errors are those of `first_ranks`.
    """
    parts = np.array_split(first_ranks(codes, sentences, class_ids, seed), FOLDS)
    return Figure.of_folds([np.mean(part) for part in parts])


def first_ranks(
    codes: np.ndarray,
    sentences: np.ndarray,
    class_ids: Sequence[int],
    seed: int = 0,
    wrong: int = WRONG,
) -> np.ndarray:
    """For each picture, whether its own caption beats all of `wrong` captions of other classes.

    Args:
        codes: Picture codes `[N, E]`.
        sentences: Codes `[N, E]` of the captions that the pictures were made from.
        class_ids: The captions' classes `[N]`.
        seed: Decides which wrong captions each picture meets.
        wrong: Number of wrong captions per picture; all that exist if there are fewer.

    Returns:
        bool `[N]`.

    Raises:
        ValueError: All captions are of one class.
    """
    codes, sentences = _normalized(codes), _normalized(sentences)
    _, groups = np.unique(class_ids, return_inverse=True)
    members = [np.flatnonzero(groups == group) for group in range(groups.max() + 1)]
    if len(members) < 2:
        raise ValueError("R-precision needs captions of at least two classes, got one")
    rng = np.random.default_rng(seed)
    first = np.zeros(len(codes), bool)
    for i, (code, sentence, group) in enumerate(zip(codes, sentences, groups, strict=True)):
        own = members[group]
        others = len(codes) - len(own)
        drawn = rng.choice(others, min(wrong, others), replace=False, shuffle=False)
        # Turns a place among the other captions into a row: skips the own captions before it.
        drawn += np.searchsorted(own - np.arange(len(own)), drawn, side="right")
        first[i] = code @ sentence > np.max(sentences[drawn] @ code)
    return first


def wrong_captions(class_ids: Sequence[int]) -> int:
    """Counts the captions of other classes that R-precision finds for every picture.

    Args:
        class_ids: Class of each caption.

    Returns:
        `WRONG`, or as many as there are for a picture of the largest class.
    """
    _, sizes = np.unique(class_ids, return_counts=True)
    return int(min(WRONG, len(class_ids) - sizes.max()))


def permuted_r_precision(
    codes: np.ndarray, sentences: np.ndarray, wrong_sentences: Sequence[np.ndarray]
) -> dict[str, float]:
    """R-precision against the very same captions with their colours exchanged.

    Random wrong captions are beaten by a picture that merely has the right colours; these only by
    one that has them in the right places. The few distinct exchanges of a caption stand for any
    number of wrong captions: repeating one cannot change which caption is first.

    Args:
        codes: Picture codes `[N, E]`.
        sentences: Codes `[N, E]` of the captions that the pictures were made from.
        wrong_sentences: For each caption the codes `[k, E]` of all its exchanges; captions
            without any (k = 0, a bird of one colour) are left out.

    Returns:
        `value`, `chance` (the mean of 1 / (1 + k)), `wrong_captions` (the mean k) and `captions`,
        how many were not left out. The first three are NaN where all were.
    """
    hits, counts = permuted_hits(codes, sentences, wrong_sentences)
    if not len(hits):
        return {"value": np.nan, "chance": np.nan, "wrong_captions": np.nan, "captions": 0}
    return {
        "value": float(np.mean(hits)),
        "chance": float(np.mean(1.0 / (1.0 + counts))),
        "wrong_captions": float(np.mean(counts)),
        "captions": len(hits),
    }


def permuted_hits(
    codes: np.ndarray, sentences: np.ndarray, wrong_sentences: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Which captions beat all exchanges of their colours, bool `[n]`, and how many there are.

    Arguments are those of `permuted_r_precision`; captions without any are left out.
    """
    hits, counts = [], []
    for code, sentence, wrong in zip(
        _normalized(codes), _normalized(sentences), wrong_sentences, strict=True
    ):
        if len(wrong):
            hits.append(code @ sentence > np.max(_normalized(wrong) @ code))
            counts.append(len(wrong))
    return np.array(hits, bool), np.array(counts)


def cosines(codes: np.ndarray, sentences: np.ndarray) -> np.ndarray:
    """The cosine of each picture's code with its own caption's, `[N]`."""
    return np.einsum("ne,ne->n", _normalized(codes), _normalized(sentences))


def picture_codes(image_encoder: keras.Model, pictures: np.ndarray) -> np.ndarray:
    """DAMSM's global codes `[N, E]` of uint8 pictures `[N, H, W, 3]`."""
    batches = (pictures[i : i + BATCH_SIZE] for i in range(0, len(pictures), BATCH_SIZE))
    return np.concatenate([image_encoder(to_float(batch))[1] for batch in batches])


def sentence_codes(model: ModelDirectory, captions: Sequence[str]) -> np.ndarray:
    """DAMSM's sentence codes `[N, E]` of captions, read with the model's own vocabulary.

    Args:
        model: A `ModelDirectory`.
        captions: N texts.

    Raises:
        UserError: The model knows no word of a caption.
    """
    tokens = encode(captions, model.vocabulary, model.config.data.max_words).tokens
    batches = (tokens[i : i + BATCH_SIZE] for i in range(0, len(tokens), BATCH_SIZE))
    return np.concatenate([model.text_encoder(batch)[1] for batch in batches])


def _normalized(codes):
    codes = np.asarray(codes, np.float32)
    return codes / np.maximum(np.linalg.norm(codes, axis=-1, keepdims=True), 1e-8)
