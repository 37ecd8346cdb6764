"""A trigram model of captions: for the recognizer of speech, and to suggest the next word.

The probabilities are those of interpolated absolute discounting (Ney, Essen and Kneser, 1994): each
count gives up a share, which goes to the words that a shorter context makes likely.
"""

import functools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from data_pipeline.text.tokenizer import tokenize

ORDER = 3
DISCOUNT = 0.5
ALIKE = 0.1  # the least cosine between words of a kind
BEGIN, END = "<s>", "</s>"
NEVER = -99.0  # log10 of the probability that a caption's begin follows; ARPA's convention


class NGrams:
    """Which words follow which.

    Args:
        captions: The captions to learn from.
        words: Words that may be said besides those of the captions, each as rare as can be.
    """

    def __init__(self, captions: Iterable[str], words: Iterable[str] = ()):
        self._following: dict[tuple[str, ...], Counter] = defaultdict(Counter)
        for caption in captions:
            said = [BEGIN, *tokenize(caption), END]
            for place in range(1, len(said)):
                for length in range(min(ORDER, place + 1)):
                    self._following[tuple(said[place - length : place])][said[place]] += 1
        single = self._following[()]
        single[END] += 1
        single.update(words)  # Each counts once more, so that none is impossible.
        self.words = sorted(single.keys() - {END})

    def probability(self, word: str, context: Sequence[str] = ()) -> float:
        """The probability of a word after others, of which the last two matter.

        Args:
            word: A known word, or `END`.
            context: The words before it; `BEGIN` is the first of a caption.
        """
        context = tuple(context)[-(ORDER - 1) :]
        if not context:
            counts = self._following[()]
            return counts[word] / counts.total()
        shorter = self.probability(word, context[1:])
        if context not in self._following:
            return shorter
        counts = self._following[context]
        taken = max(counts[word] - DISCOUNT, 0.0) / counts.total()
        return taken + self._left(context) * shorter

    def likeliest(self, context: Sequence[str], count: int) -> list[str]:
        """The words that most often follow the last words of a caption, the likeliest first."""
        context = (BEGIN, *context)[-(ORDER - 1) :]
        while context and context not in self._following:
            context = context[1:]
        known = self._following.get(context, ())
        ranked = sorted(known, key=lambda word: (-self.probability(word, context), word))
        return [word for word in ranked if word != END][:count]

    def kin(self, word: str, count: int) -> list[str]:
        """Words that stand where a word stands, the most alike first.

        Two words are as alike as the cosine between how often each stands between any two others.
        """
        places, between = self._places
        own = places.get(word, {})
        alike = Counter()
        for place, times in own.items():
            for other, others in between[place].items():
                alike[other] += times * others
        for other in alike:
            alike[other] /= math.hypot(*own.values()) * math.hypot(*places[other].values())
        del alike[word]
        ranked = sorted(alike, key=lambda other: (-alike[other], other))
        return [other for other in ranked if alike[other] > ALIKE][:count]

    @functools.cached_property
    def _places(self):
        """How often each word stands between any two others, by word and by these two."""
        places, between = defaultdict(Counter), defaultdict(Counter)
        for context, counts in self._following.items():
            if len(context) == ORDER - 1:
                before, word = context
                for after, times in counts.items():
                    places[word][before, after] += times
                    between[before, after][word] += times
        return places, between

    def arpa(self) -> Iterator[str]:
        """The model's lines in ARPA's format, which recognizers of speech read."""
        grams = [
            sorted(
                (*context, word)
                for context, counts in self._following.items()
                if len(context) == length
                for word in counts
            )
            for length in range(ORDER)
        ]
        grams[0].append((BEGIN,))
        yield "\\data\\"
        yield from (f"ngram {i}={len(rows)}" for i, rows in enumerate(grams, start=1))
        for order, rows in enumerate(grams, start=1):
            yield ""
            yield f"\\{order}-grams:"
            for gram in rows:
                *context, word = gram
                chance = NEVER if gram == (BEGIN,) else math.log10(self.probability(word, context))
                line = f"{chance:.4f} {' '.join(gram)}"
                if order < ORDER and gram in self._following:
                    line += f" {math.log10(self._left(gram)):.4f}"
                yield line
        yield ""
        yield "\\end\\"

    def _left(self, context):
        """What the words seen after a context give up for all others."""
        counts = self._following[context]
        return DISCOUNT * len(counts) / counts.total()
