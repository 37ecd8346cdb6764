"""Whether pictures and captions find each other: R-precision and recall by cosine similarity.

The first functions are pure and take codes, rows of a matrix; the last two make such codes with
DAMSM's encoders.
"""

from collections.abc import Sequence

import numpy as np

from t2i_tf.captions import encode

BATCH_SIZE, WRONG = 100, 99


def recall_at_k(codes: np.ndarray, sentences: np.ndarray, k: int) -> float:
    """Share of captions whose own picture is among the k most similar of all pictures.

    Args:
        codes: Picture codes `[N, E]`, row i the picture of caption i.
        sentences: Sentence codes `[N, E]`.
        k: How many pictures each caption retrieves.
    """
    similarity = _normalized(sentences) @ _normalized(codes).T
    better = similarity >= np.diag(similarity)[:, None]
    return float(np.mean(better.sum(axis=1) <= k))


def r_precision(
    codes: np.ndarray,
    sentences: np.ndarray,
    class_ids: Sequence[int],
    seed: int = 0,
    wrong: int = WRONG,
) -> float:
    """Share of pictures whose own caption beats all of `wrong` captions of other classes.

    The R-precision of AttnGAN (section 4) with R = 1; by chance it is 1 / (1 + wrong).

    Args:
        codes: Picture codes `[N, E]`.
        sentences: Codes `[N, E]` of the captions that the pictures were made from.
        class_ids: The captions' classes `[N]`.
        seed: Decides which wrong captions each picture meets.
        wrong: How many; all there are where there are fewer.

    Raises:
        ValueError: All captions are of one class.
    """
    codes, sentences = _normalized(codes), _normalized(sentences)
    class_ids = np.asarray(class_ids)
    others = {own: np.flatnonzero(class_ids != own) for own in np.unique(class_ids)}
    if len(others) < 2:
        raise ValueError("R-precision needs captions of at least two classes, got one")
    rng = np.random.default_rng(seed)
    hits = 0
    for code, sentence, own in zip(codes, sentences, class_ids, strict=True):
        drawn = rng.choice(others[own], min(wrong, len(others[own])), replace=False, shuffle=False)
        hits += bool(code @ sentence > np.max(sentences[drawn] @ code))
    return hits / len(codes)


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
    hits, counts = [], []
    for code, sentence, wrong in zip(
        _normalized(codes), _normalized(sentences), wrong_sentences, strict=True
    ):
        if len(wrong):
            hits.append(code @ sentence > np.max(_normalized(wrong) @ code))
            counts.append(len(wrong))
    if not hits:
        return {"value": np.nan, "chance": np.nan, "wrong_captions": np.nan, "captions": 0}
    return {
        "value": float(np.mean(hits)),
        "chance": float(np.mean(1.0 / (1.0 + np.array(counts)))),
        "wrong_captions": float(np.mean(counts)),
        "captions": len(hits),
    }


def picture_codes(image_encoder, pictures: np.ndarray) -> np.ndarray:
    """DAMSM's global codes `[N, E]` of uint8 pictures `[N, H, W, 3]`."""
    batches = (pictures[i : i + BATCH_SIZE] for i in range(0, len(pictures), BATCH_SIZE))
    return np.concatenate([image_encoder(b.astype(np.float32) / 127.5 - 1.0)[1] for b in batches])


def sentence_codes(model, captions: Sequence[str]) -> np.ndarray:
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
