"""Losses as pure functions of tensors (AttnGAN, arXiv:1711.10485, sections 3.1 and 3.2)."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
from keras import ops

from t2i_tf.networks.attention import MASKED, word_region_attention

Tensor = keras.KerasTensor  # or any backend's own
LOSSES = ("cross_entropy", "hinge")


def _should_be_real(logits, kind):
    return ops.softplus(-logits) if kind == "cross_entropy" else ops.relu(1.0 - logits)


def _should_be_fake(logits, kind):
    return ops.softplus(logits) if kind == "cross_entropy" else ops.relu(1.0 + logits)


def discriminator_loss(
    real: Tensor,
    real_matched: Tensor,
    fake: Tensor,
    fake_matched: Tensor,
    mismatched: Tensor,
    mismatched_weights: Tensor | None = None,
    kind: str = "cross_entropy",
) -> Tensor:
    """Loss of one stage's discriminator from its logits.

    [L(real, 1) + L(real|s, 1)] / 2, plus the mean of L(fake, 0), L(fake|s, 0) and
    L(real|wrong s, 0). Without the unconditional logits, the means are over the remaining terms.

    Args:
        real: Unconditional logits of real images, `[B]`, or None.
        real_matched: Logits of real images with their own sentences, `[B]`.
        fake: Unconditional logits of fakes, `[B]`, or None.
        fake_matched: Logits of fakes with their sentences, `[B]`.
        mismatched: Logits of real images with wrong sentences, `[M]`.
        mismatched_weights: The weights `[M]` of `mismatched` in the last term; equal weights if
            left out.
        kind: L, `"cross_entropy"` (the paper's) or `"hinge"` (Lim & Ye, 2017).

    Returns:
        A scalar.
    """
    positive = [
        ops.mean(_should_be_real(logits, kind))
        for logits in (real, real_matched)
        if logits is not None
    ]
    negative = [
        ops.mean(_should_be_fake(logits, kind))
        for logits in (fake, fake_matched)
        if logits is not None
    ]
    wrong = _should_be_fake(mismatched, kind)
    if mismatched_weights is None:
        negative.append(ops.mean(wrong))
    else:
        negative.append(ops.sum(mismatched_weights * wrong))
    return sum(positive) / len(positive) + sum(negative) / len(negative)


def generator_loss(*fake, kind: str = "cross_entropy") -> Tensor:
    """L(fake, 1) + L(fake|s, 1) of one stage, from all logits `[B]` of its images."""
    if kind == "hinge":
        return -sum(ops.mean(logits) for logits in fake)
    return sum(ops.mean(_should_be_real(logits, kind)) for logits in fake)


def r1_penalty(image_gradients: Tensor) -> Tensor:
    """Half the mean squared norm of D's gradient by real images (Mescheder et al., 2018, eq. 9).

    Args:
        image_gradients: `[B, H, W, 3]`, of the sum of D's logits.
    """
    squares = ops.square(ops.cast(image_gradients, keras.config.floatx()))
    return 0.5 * ops.mean(ops.sum(squares, axis=(1, 2, 3)))


def matching_aware_penalty(
    image_gradients: Tensor, sentence_gradients: Tensor, power: int = 6
) -> Tensor:
    """Mean of (|dD/dx| + |dD/ds|)^power at real, matching pairs (Tao et al., 2022, eq. 2).

    Args:
        image_gradients: `[B, H, W, 3]`, of the conditional logits by the images.
        sentence_gradients: `[B, E]`, of the same by the sentences.
        power: The paper's p.
    """

    def norm(gradients):
        axes = tuple(range(1, len(gradients.shape)))
        squares = ops.square(ops.cast(gradients, keras.config.floatx()))
        return ops.sqrt(ops.sum(squares, axis=axes) + 1e-12)

    return ops.mean((norm(image_gradients) + norm(sentence_gradients)) ** power)


def diversity(
    images: Tensor, others: Tensor, noise: Tensor, other_noise: Tensor, limit: float
) -> Tensor:
    """Distance of images of one caption relative to their noise's (Yang et al., 2019, eq. 4).

    Args:
        images: `[B, H, W, 3]`.
        others: Images of the same captions from other noise, `[B, H, W, 3]`.
        noise: `[B, Z]`.
        other_noise: `[B, Z]`.
        limit: Larger ratios count as this one (the paper's tau).

    Returns:
        The mean of min(mean |image - other| / mean |noise - other noise|, limit), to be maximised.
    """
    apart = ops.mean(ops.abs(images - others), axis=(1, 2, 3))
    return ops.mean(ops.minimum(apart / ops.mean(ops.abs(noise - other_noise), axis=1), limit))


def kl_loss(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL divergence of N(mu, exp(logvar)) from N(0, 1), averaged over batch and dimensions.

    Args:
        mu: `[B, C]`.
        logvar: `[B, C]`.
    """
    mu, logvar = (ops.cast(x, keras.config.floatx()) for x in (mu, logvar))
    return -0.5 * ops.mean(1.0 + logvar - ops.square(mu) - ops.exp(logvar))


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine along the last axis, broadcasting; zero vectors give zero."""
    dot = ops.sum(a * b, axis=-1)
    norms = ops.sqrt(ops.sum(ops.square(a), -1) * ops.sum(ops.square(b), -1) + 1e-16)
    return dot / ops.maximum(norms, 1e-8)


def word_scores(
    words: Tensor, regions: Tensor, mask: Tensor, gamma1: float, gamma2: float
) -> Tensor:
    """R(Q, D) of every image with every caption (AttnGAN, eq. 10, without 1/gamma2 as published).

    Args:
        words: `[C, T, E]`.
        regions: `[B, N, E]`.
        mask: Boolean `[C, T]`.
        gamma1: Sharpness over regions.
        gamma2: Sharpness over words.

    Returns:
        `[B, C]`: log sum_t exp(gamma2 cos(c_t, e_t)) over the real words.
    """
    context, _ = word_region_attention(words, regions, mask, gamma1)
    similarity = gamma2 * cosine(context, words[None])
    similarity = ops.where(mask[None], similarity, ops.cast(MASKED, similarity.dtype))
    return ops.logsumexp(similarity, axis=-1)


def sentence_scores(sentences: Tensor, codes: Tensor) -> Tensor:
    """Cosine of every image code `[B, E]` with every sentence `[C, E]`: `[B, C]`."""
    return cosine(codes[:, None], sentences[None])


def matching_loss(
    scores: Tensor, class_ids: Tensor, false_negatives: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of a score matrix with its diagonal, both ways (AttnGAN, eq. 11-12).

    Pairs of the same class off the diagonal are left out, because they are not mismatches.

    Args:
        scores: `[B, B]` images by captions, already times gamma3; or `[B, C]` with C > B where
            columns past B are additional wrong captions, used from image to caption only.
        class_ids: `[B]` integers.
        false_negatives: Boolean `[C - B]`, True where an additional caption is not really wrong, so
            it is left out for all images (required when C > B).

    Returns:
        (image to text, text to image), two scalars.
    """
    batch = scores.shape[0]
    same = class_ids[:, None] == class_ids[None]
    excluded = ops.logical_and(same, ops.logical_not(ops.eye(batch, dtype="bool")))
    masked = ops.cast(MASKED, scores.dtype)
    square = ops.where(excluded, masked, scores[:, :batch])
    rows = square
    if false_negatives is not None:
        extra = ops.where(false_negatives[None], masked, scores[:, batch:])
        rows = ops.concatenate([square, extra], axis=1)
    diagonal = ops.diagonal(square)
    return (
        ops.mean(ops.logsumexp(rows, axis=1) - diagonal),
        ops.mean(ops.logsumexp(square, axis=0) - diagonal),
    )


class Scores(NamedTuple):
    """How well images and captions match.

    Attributes:
        by_words: `[B, C]`, images by captions.
        by_sentences: `[B, C]`.
    """

    by_words: Tensor
    by_sentences: Tensor


def damsm_scores(
    words: Tensor,
    sentences: Tensor,
    mask: Tensor,
    regions: Tensor,
    codes: Tensor,
    gammas: Sequence[float],
) -> Scores:
    """DAMSM's scores of every image with every caption, times gamma3 (AttnGAN, eq. 10-11).

    Args:
        words: `[C, T, E]`.
        sentences: `[C, E]`.
        mask: Boolean `[C, T]`.
        regions: `[B, h, w, E]`.
        codes: `[B, E]`.
        gammas: (gamma1, gamma2, gamma3).

    Returns:
        `Scores`.
    """
    gamma1, gamma2, gamma3 = gammas
    regions = ops.reshape(regions, (regions.shape[0], -1, regions.shape[-1]))
    return Scores(
        by_words=gamma3 * word_scores(words, regions, mask, gamma1, gamma2),
        by_sentences=gamma3 * sentence_scores(sentences, codes),
    )


def damsm_losses(
    scores: Scores, class_ids: Tensor, false_negatives: Tensor | None = None
) -> dict[str, Tensor]:
    """The four matching losses of DAMSM (AttnGAN, eq. 11-13).

    Args:
        scores: `Scores` of B images with C captions; the first B captions belong to the images, in
            order.
        class_ids: `[B]`.
        false_negatives: See `matching_loss`.

    Returns:
        A dict of scalars: `word_image_to_text`, `word_text_to_image`, `sentence_image_to_text`,
        `sentence_text_to_image`.
    """
    losses = {}
    for name, matrix in (("word", scores.by_words), ("sentence", scores.by_sentences)):
        to_text, to_image = matching_loss(matrix, class_ids, false_negatives)
        losses[f"{name}_image_to_text"] = to_text
        losses[f"{name}_text_to_image"] = to_image
    return losses
