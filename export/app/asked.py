"""What a visitor asks for: checked numbers and texts, and the link that holds them."""

import dataclasses
import threading
import time
import urllib.parse
from collections import OrderedDict
from collections.abc import Callable, Mapping

from data_pipeline.support.errors import UserError

LONGEST_CAPTION = 500  # characters
MOST_PICTURES = 64
LARGEST_SEED = 999_999
MOST_STEPS = 32
MOST_VISITORS = 10_000  # that the limit by visitor remembers


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request for pictures.

    Attributes:
        caption: The text to draw.
        seed: Seed of the first picture; it goes up by 1 for each further one.
        number: Pictures.
        truncation: Factor of the noise, see `TokensToImage.call`.
    """

    caption: str
    seed: int = 0
    number: int = 6
    truncation: float = 1.0

    @classmethod
    def checked(
        cls, caption: object, seed: object = 0, number: object = 6, truncation: object = 1.0
    ) -> "Asked":
        """Makes a request of whatever a page, a link or a program sent.

        Raises:
            UserError: A value is of another kind or beyond its limit; the message names it.
        """
        return cls(
            text(caption),
            whole("seed", seed, 0, LARGEST_SEED),
            whole("number of pictures", number, 1, MOST_PICTURES),
            round(_number("truncation", truncation, 0.0, 1.0), 3),
        )

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "Asked":
        """Reads what `query` wrote; what is left out has its default.

        Raises:
            UserError: As `checked`.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        return cls.checked(**{"caption": "", **{n: query[n] for n in names if n in query}})

    def query(self, **more: str | int) -> str:
        """The request as the end of a link, which begins with a question mark."""
        return "?" + urllib.parse.urlencode({**dataclasses.asdict(self), **more})


def text(value: object, name: str = "caption") -> str:
    """A caption without the space around it.

    Raises:
        UserError: It is empty, too long, or holds control characters.
    """
    if not isinstance(value, str) or not (value := " ".join(value.split())):
        raise UserError(f"the {name} is empty: type what the picture should show")
    if len(value) > LONGEST_CAPTION:
        raise UserError(
            f"the {name} has {len(value)} characters: {LONGEST_CAPTION} are the most that are read"
        )
    if not value.isprintable():
        raise UserError(f"the {name} holds characters that cannot be printed: type it anew")
    return value


def whole(name: str, value: object, low: int, high: int) -> int:
    """A whole number within limits.

    Raises:
        UserError: It is none.
    """
    number = _number(name, value, low, high)
    if number != int(number):
        raise UserError(f"the {name} must be a whole number of {low} to {high}")
    return int(number)


def _number(name, value, low, high):
    try:
        number = float(value) if isinstance(value, (str, int, float)) else None
    except (ValueError, OverflowError):
        number = None
    if number is None or not low <= number <= high:  # NaN is not, either.
        raise UserError(f"the {name} must be a number of {low:g} to {high:g}")
    return number


class Turns:
    """Limits how much each visitor asks for, by a bucket that refills steadily (leaky bucket).

    Args:
        per_minute: Pictures that a visitor may ask for in a minute, all at once too.
        clock: Seconds.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic):
        self._per_minute = per_minute
        self._clock = clock
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, visitor: str, pictures: int = 1) -> None:
        """Counts pictures of a visitor.

        Raises:
            UserError: They are more than the visitor may ask for now.
        """
        with self._lock:
            now = self._clock()
            used, since = self._used.pop(visitor, (0.0, now))
            used = max(0.0, used - (now - since) * self._per_minute / 60) + pictures
            allowed = used <= max(self._per_minute, pictures)
            self._used[visitor] = (used if allowed else used - pictures, now)
            while len(self._used) > MOST_VISITORS:
                self._used.popitem(last=False)
        if not allowed:
            wait = (used - self._per_minute) * 60 / self._per_minute
            raise UserError(
                f"that is more than {self._per_minute} pictures a minute: wait {wait:.0f} seconds"
            )
