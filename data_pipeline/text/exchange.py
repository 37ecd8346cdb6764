"""Exchanges words within captions: negatives that differ only in which thing has which property.

Yuksekgonul et al., "When and why vision-language models behave like bags-of-words" (2023).
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from data_pipeline.support.errors import UserError
from data_pipeline.text.vocabulary import Vocabulary
from data_pipeline.text.wordpiece import begins, word_numbers


class Exchange:
    """Swaps a random word of a caption with another word of its group.

    Where the caption has no other of the group, the word is replaced by one of it. Inflected words
    are given with all their forms, and each place keeps its form: "красной грудкой, синими
    крыльями" becomes "синей грудкой, красными крыльями".

    Args:
        groups: Groups of words of which any two differ in meaning. A word is written as its forms,
            separated by spaces, in an order that is the group's. Forms that the vocabulary lacks
            are left out.
        vocabulary: The captions'.
        max_words: T, the tokens of a caption.

    Raises:
        UserError: Words of a group have different numbers of forms.
    """

    def __init__(self, groups: Sequence[Sequence[str]], vocabulary: Vocabulary, max_words: int):
        self._width = max_words
        # A row for each form of each word of each group; number 0 stands for all other words.
        tokens, group, word, place = [[]], [0], [0], [0]
        first, words, forms = [0], [0], [0]  # Of each group: its first row, and how many of each.
        for number, own in enumerate(groups, 1):
            split = [text.split() for text in own]
            if len({len(texts) for texts in split}) > 1:
                raise UserError(
                    f"exchange_words {', '.join(own)}: all words of a group need the same forms"
                )
            first.append(len(tokens))
            words.append(len(split))
            forms.append(len(split[0]) if split else 0)
            for row, texts in enumerate(split):
                for column, text in enumerate(texts):
                    ids, unknown = vocabulary.encode(text)
                    tokens.append([] if unknown or len(ids) > max_words else ids)
                    group.append(number)
                    word.append(row)
                    place.append(column)
        padded = np.zeros((len(tokens), max_words), np.int32)
        for row, ids in zip(padded, tokens, strict=True):
            row[: len(ids)] = ids
        self._tokens, self._known = tf.constant(padded), tf.constant(padded[:, 0] > 0)
        self._group, self._word, self._place = map(tf.constant, (group, word, place))
        self._first, self._words, self._forms = map(tf.constant, (first, words, forms))
        self._begins = begins(vocabulary.words)

    def __call__(self, tokens: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The caption with words exchanged, int32 `[T]`; unchanged where that changes nothing.

        Args:
            tokens: The caption, int32 `[T]`, 0 after the last token.
            seed: Decides the exchange.
        """
        words = self._as_words(tokens)
        same = tf.reduce_all(words[:, tf.newaxis] == self._tokens, axis=-1)
        rows = tf.argmax(tf.cast(same, tf.int32), axis=1, output_type=tf.int32)
        new = self._exchanged(rows, tf.random.split(seed, 3))
        words = tf.where((new != rows)[:, tf.newaxis], tf.gather(self._tokens, new), words)
        wrong = tf.boolean_mask(words, words > 0)[: self._width]
        wrong = tf.pad(wrong, [[0, self._width - tf.size(wrong)]])
        return tf.ensure_shape(wrong, [self._width])

    def _as_words(self, tokens):
        """The tokens of each word in a row, int32 `[W, T]`."""
        tokens = tf.boolean_mask(tokens, tokens > 0)
        numbers = word_numbers(tokens, self._begins)
        words = tf.RaggedTensor.from_value_rowids(tokens, numbers, validate=False)
        return words.to_tensor(shape=[None, self._width])

    def _exchanged(self, rows, seeds):
        """The rows of the tables that take the place of `rows`, int32 `[W]`."""
        groups, words, places = (tf.gather(t, rows) for t in (self._group, self._word, self._place))
        chosen = self._random_place(groups > 0, seeds[0])
        word, group = words[chosen], groups[chosen]
        first, forms = self._first[group], self._forms[group]
        of_group = (groups == group) & (groups > 0)
        partners = of_group & (words != word)
        partner = self._random_place(partners, seeds[1])
        swapped = tf.tensor_scatter_nd_update(
            words, tf.stack([chosen, partner])[:, tf.newaxis], [words[partner], word]
        )
        others = tf.range(self._words[group])
        known = tf.gather(self._known, first + others * forms + places[chosen])
        others = tf.boolean_mask(others, known & (others != word))
        limit = tf.maximum(tf.size(others), 1)
        choice = tf.random.stateless_uniform([], seeds[2], 0, limit, tf.int32)
        replaced = tf.where(of_group, tf.concat([others, [word]], 0)[choice], words)
        new = first + tf.where(tf.reduce_any(partners), swapped, replaced) * forms + places
        new = tf.where(of_group, new, rows)
        return tf.where(tf.gather(self._known, new), new, rows)

    def _random_place(self, mask, seed):
        """The position of a random True of `[W]`; 0 if there is none."""
        chance = tf.random.stateless_uniform([self._width], seed)[: tf.size(mask)]
        return tf.argmax(tf.where(mask, chance, -1.0))
