"""What draws for the page: models in this process, or one behind a server; both look the same."""

import itertools
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from data_pipeline.support.errors import UserError
from data_pipeline.text.vocabulary import Vocabulary
from export.app.asked import Asked
from export.client.transports import Ask, RefusedError, connect, patiently
from t2i_tf.models import captions
from t2i_tf.models.text_to_image import Explanation, TextToImage, repeated

BATCH_SIZE = 4
TIMEOUT_S = 30.0  # of a server


class Local:
    """A model in this process.

    Args:
        name: Shown on the page.
        model: Draws.
        turn: Held while a batch is drawn, so that requests take turns batch by batch.

    Attributes:
        name: As given.
        vocabulary: The words it knows.
        mixes: True: the noise can be truncated and two captions mixed.
    """

    mixes = True

    def __init__(self, name: str, model: TextToImage, turn: threading.Lock):
        self.name = name
        self.vocabulary: Vocabulary | None = model.vocabulary
        self._model = model
        self._turn = turn

    def pictures(self, asked: Asked) -> Iterator[np.ndarray]:
        """Draws uint8 `[H, W, 3]` for each seed; the first alone, so that it comes at once.

        Raises:
            UserError: The model knows no word of the caption.
        """
        tokens = self._tokens(asked.caption)
        tokens, seeds = repeated(tokens, asked.number, asked.seed)
        starts = [0, *range(1, asked.number, BATCH_SIZE), asked.number]
        for start, end in itertools.pairwise(starts):
            with self._turn:
                drawn = list(
                    self._model.draw(
                        tokens[start:end], seeds[start:end], BATCH_SIZE, asked.truncation
                    )
                )
            yield from (picture for picture, _ in drawn)

    def explain(self, asked: Asked) -> Explanation:
        """Draws the first picture with every stage's picture and attention."""
        self._tokens(asked.caption)
        with self._turn:
            return self._model.explain(asked.caption, asked.seed, asked.truncation)

    def between(self, asked: Asked, last: str, steps: int) -> Iterable[np.ndarray]:
        """Draws the way from the caption to another one."""
        self._tokens(asked.caption), self._tokens(last)
        with self._turn:
            return self._model.interpolate(asked.caption, last, steps, asked.seed, asked.truncation)

    def _tokens(self, caption):
        max_words = self._model.config.data.max_words
        ids, unknown = self.vocabulary.encode(caption)
        if not ids:
            named = ", ".join(unknown[:10]) or "it holds no words"
            raise UserError(f"the model {self.name} knows no word of this caption: {named}")
        return captions.encode([caption], self.vocabulary, max_words).tokens


class Served:
    """As `Local`, by a server; which words it knows, only its answers tell.

    Args:
        name: Shown on the page.
        ask: See `export.client.transports`.
    """

    mixes = False
    vocabulary = None

    def __init__(self, name: str, ask: Ask):
        self.name = name
        self._ask = ask

    def pictures(self, asked: Asked) -> Iterator[np.ndarray]:
        """As `Local.pictures`."""
        for seed in range(asked.seed, asked.seed + asked.number):
            yield self._patiently(self._ask, asked.caption, seed)

    def explain(self, asked: Asked) -> Explanation:
        """As `Local.explain`."""

        def ask(text, seed, timeout_s):
            return self._ask.predict("explain", text, seed, timeout_s)

        outputs = self._patiently(ask, asked.caption, asked.seed)
        read = outputs["tokens"][0]
        words = [str(word, "utf-8") if isinstance(word, bytes) else str(word) for word in read]
        images, attention = (
            [outputs[key][0] for key in sorted(outputs) if key.startswith(kind)]
            for kind in ("image_", "attention_")
        )
        return Explanation(
            images=[image.astype(np.uint8) for image in images],
            attention=[np.float32(maps) for maps in attention],
            words=words,
            unknown_words=[],
        )

    def _patiently(self, ask, caption, seed):
        try:
            return patiently(ask, caption, seed, TIMEOUT_S)
        except RefusedError as error:
            raise UserError(f"the server did not draw this: {error}") from error


Model = Local | Served


def load(model_dirs: Sequence[str], server: str | None, model_name: str) -> list[Model]:
    """Makes what the flags name ready to draw.

    Raises:
        UserError: There is no such model, or the server's address is none.
    """
    if server:
        return [Served(model_name, connect(server, None, model_name))]
    turn = threading.Lock()
    models = []
    for directory in model_dirs:
        name = _name(directory)
        same = sum(model.name.partition(" (")[0] == name for model in models)
        name = f"{name} ({same + 1})" if same else name
        models.append(Local(name, TextToImage.from_preset(directory), turn))
        known = models[-1].vocabulary.words[1]
        list(models[-1].pictures(Asked(known, number=2)))  # TensorFlow compiles at the first call.
        models[-1].explain(Asked(known))
    return models


def _name(directory):
    """A model's name on the page: the last part of its path, which itself stays unknown."""
    parts = [part for part in Path(directory).parts if part not in ("/", "model")]
    return parts[-1] if parts else "model"
