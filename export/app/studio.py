"""What the page can do, without the page: every answer is plain data that a browser can show."""

import dataclasses
import itertools
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from data_pipeline.support.errors import UserError
from data_pipeline.text.tokenizer import tokenize
from export.app import asked as limits
from export.app import pictures, speech, words
from export.app.asked import Asked, Turns
from export.app.models import Model
from export.app.ngrams import NGrams
from t2i_tf.models.text_to_image import Explanation

EXAMPLES = 4
KIN = 8  # words that are offered in the place of another

_WORD = re.compile(r"\w+")


class Studio:
    """Draws, explains and hears for visitors.

    A gallery is a dict: `kind`, `title`, `asked`, `total` (pictures to come), `query` (of the link
    that draws it again) and `rows`, each with `name`, `model` (its number) and `pictures`, which
    have `src`, `label`, `seed` and `caption`, which is None where two are mixed.

    Args:
        models: They draw side by side.
        captions: Captions such as the models learned, for examples.
        expected: Which words follow which in them.
        hear: See `speech.recognizer`.
        turns: Limits what each visitor asks for.
    """

    def __init__(
        self,
        models: Sequence[Model],
        captions: Sequence[str],
        expected: NGrams,
        hear: speech.Hear,
        turns: Turns,
    ):
        self.models = models
        self.turns = turns
        self._captions = captions
        self._expected = expected
        self._hear = hear

    def example(self) -> str:
        """A caption at random."""
        return random.choice(self._captions) if self._captions else ""

    def examples(self) -> list[str]:
        """A few short captions, always the same."""
        short = sorted(self._captions, key=len)[: max(EXAMPLES, len(self._captions) // 10)]
        return short[:: max(1, len(short) // EXAMPLES)][:EXAMPLES]

    def notes(self, caption: object) -> dict:
        """What to say under the caption's box: unknown words, words to go on with."""
        caption = caption[: limits.LONGEST_CAPTION] if isinstance(caption, str) else ""
        unknown = [
            {"model": model.name, **note}
            for model in self.models
            if model.vocabulary
            for note in words.unknown(caption, model.vocabulary)
        ]
        return {
            "caption": caption,
            "unknown": unknown,
            "next": words.suggestions(caption, self._expected),
            "examples": self.examples() if not caption else [],
        }

    def draw(self, asked: Asked, visitor: str) -> Iterator[dict]:
        """A gallery of seeds by every model, growing picture by picture.

        Raises:
            UserError: No model knows a word of the caption, or the visitor asks for too much.
        """
        self.turns.take(visitor, asked.number * len(self.models))
        seeds = [
            (f"seed {asked.seed + i}", asked.caption, asked.seed + i) for i in range(asked.number)
        ]
        jobs = [(n, model, seeds, model.pictures(asked)) for n, model in enumerate(self.models)]
        yield from self._grown("draw", asked.caption, asked, jobs)

    def explain(self, asked: Asked, model: object, visitor: str) -> dict:
        """A picture's stages, and for each word where each stage looked.

        Returns:
            `caption`, `seed`, `model`, `name`; `stages`, each with `src`, `size` and `spots` (a
            mask for each word that was read; none where the stage attends to no words); `words`
            of the caption, each with `text`, `read` (its number among those read, or -1) and
            `kin` (words that may stand in its place).
        """
        self.turns.take(visitor)
        chosen = self._model(model)
        explanation = chosen.explain(asked)
        return {
            "caption": asked.caption,
            "seed": asked.seed,
            "truncation": asked.truncation,
            "model": self.models.index(chosen),
            "name": chosen.name,
            "stages": _stages(explanation, asked, chosen.name),
            "words": [
                {"text": text, "read": read, "kin": self._kin(text) if read >= 0 else []}
                for text, read in read_words(asked.caption, explanation.words)
            ],
        }

    def vary(self, asked: Asked, model: object, place: object, visitor: str) -> Iterator[dict]:
        """A gallery of the caption with one word replaced by each word of its kind, same seed.

        Args:
            asked: Its caption and seed.
            model: The model's number.
            place: The word's place in the caption.
            visitor: Who asks.
        """
        chosen = self._model(model)
        said = _WORD.findall(asked.caption)
        word = said[limits.whole("word", place, 0, len(said) - 1)]
        others = self._kin(word)
        if not others:
            raise UserError(f"there is no word to put in the place of {word!r}")
        self.turns.take(visitor, len(others) + 1)
        texts = [(word, asked.caption)]
        texts += [(other, replaced(asked.caption, int(place), other)) for other in others]
        singles = (dataclasses.replace(asked, caption=text, number=1) for _, text in texts)
        drawn = itertools.chain.from_iterable(chosen.pictures(single) for single in singles)
        labels = [(label, text, asked.seed) for label, text in texts]
        title = f"{asked.caption}: other words for {word!r}"
        yield from self._grown(
            "vary", title, asked, [(self.models.index(chosen), chosen, labels, drawn)]
        )

    def between(self, asked: Asked, last: object, steps: object, visitor: str) -> Iterator[dict]:
        """A gallery of the way from the caption to another, by every model, same seed."""
        last = limits.text(last, "second caption")
        able = [(n, model) for n, model in enumerate(self.models) if model.mixes]
        ways = [self.way(asked, last, steps, n, visitor) for n, _ in able]
        if not ways:
            raise UserError("a server draws whole captions only: it mixes none")
        steps = len(ways[0])
        texts = [asked.caption, *[None] * (steps - 2), last]
        labels = [
            (f"{round(100 * i / (steps - 1))} %", text, asked.seed) for i, text in enumerate(texts)
        ]
        jobs = [(n, model, labels, way) for (n, model), way in zip(able, ways, strict=True)]
        title = f"{asked.caption} → {last}"
        for gallery in self._grown("between", title, asked, jobs):
            yield {**gallery, "query": asked.query(last=last, steps=steps)}

    def hear(self, path: str | Path, visitor: str) -> str:
        """What a recording says; the recording is removed.

        Raises:
            UserError: It cannot be read, or nothing was understood.
        """
        try:
            self.turns.take(visitor, 10)
            heard = self._hear(speech.read_wav(path))
        finally:
            Path(path).unlink(missing_ok=True)
        if not tokenize(heard):
            raise UserError("nothing was understood: speak near to the microphone, or type")
        return heard[: limits.LONGEST_CAPTION]

    def drawn(self, asked: Asked, model: object, visitor: str) -> tuple[str, list[np.ndarray]]:
        """A model's name and its pictures of a request."""
        self.turns.take(visitor, asked.number)
        chosen = self._model(model)
        return chosen.name, list(chosen.pictures(asked))

    def way(
        self, asked: Asked, last: object, steps: object, model: object, visitor: str
    ) -> list[np.ndarray]:
        """A model's pictures of the way from the caption to another."""
        last = limits.text(last, "second caption")
        steps = limits.whole("number of steps", steps, 2, limits.MOST_STEPS)
        chosen = self._model(model)
        if not chosen.mixes:
            raise UserError("a server draws whole captions only: it mixes none")
        self.turns.take(visitor, steps)
        return list(chosen.between(asked, last, steps))

    def _kin(self, word):
        return self._expected.kin(word.lower(), KIN)

    def _model(self, number):
        return self.models[limits.whole("model", number, 0, len(self.models) - 1)]

    def _grown(self, kind, title, asked, jobs):
        """Yields the gallery after each picture; the models take turns, picture by picture."""
        rows = [{"name": model.name, "model": n, "pictures": []} for n, model, _, _ in jobs]
        total = sum(len(labels) for _, _, labels, _ in jobs)
        gallery = {"kind": kind, "title": title, "total": total, "query": asked.query()}
        gallery["asked"] = dataclasses.asdict(asked)
        labelled = [zip(labels, drawn, strict=True) for _, _, labels, drawn in jobs]
        for turn in zip(*labelled, strict=True):
            for i, ((label, caption, seed), picture) in enumerate(turn):
                single = dataclasses.replace(asked, caption=caption or title, seed=seed)
                file = pictures.picture_png(picture, single, rows[i]["name"])
                shown = {"src": pictures.data_url(file), "label": label}
                shown |= {"caption": caption, "seed": seed}
                rows[i] = {**rows[i], "pictures": [*rows[i]["pictures"], shown]}
                yield {**gallery, "rows": list(rows)}


def read_words(caption: str, read: Sequence[str]) -> list[tuple[str, int]]:
    """The words of a caption as they are written, each with its number among those read, or -1."""
    found, number = [], 0
    for text in _WORD.findall(caption):
        matches = number < len(read) and tokenize(text) == [read[number]]
        found.append((text, number if matches else -1))
        number += matches
    return found


def replaced(caption: str, place: int, word: str) -> str:
    """The caption with the word at a place exchanged; "a" and "an" follow."""
    start, end = list(_WORD.finditer(caption))[place].span()
    before = caption[:start]
    if article := re.search(r"\b(a)n?(\s+)$", before, re.IGNORECASE):
        an = "n" if word[0] in "aeiou" else ""
        before = before[: article.start()] + article[1] + an + article[2]
    return before + word + caption[end:]


def _stages(explanation: Explanation, asked: Asked, name: str) -> list[dict]:
    """Every stage's picture, and its masks where it attended to words."""
    without = len(explanation.images) - len(explanation.attention)
    maps = [None] * without + list(explanation.attention)
    return [
        {
            "src": pictures.data_url(pictures.picture_png(image, asked, name)),
            "size": image.shape[0],
            "spots": []
            if spots is None
            else [
                pictures.data_url(pictures.spot_png(spots[..., i]))
                for i in range(len(explanation.words))
            ],
        }
        for image, spots in zip(explanation.images, maps, strict=True)
    ]
