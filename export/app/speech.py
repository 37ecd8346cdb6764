"""Speech to text: a recording becomes a caption, offline unless another recognizer is asked for.

pocketsphinx hears any English; it is told which words there are and which follow which in captions,
so that "crown" is not heard as "clown".
"""

import functools
import tempfile
import wave
from collections.abc import Callable, Mapping
from pathlib import Path

import speech_recognition as sr

from data_pipeline.support.errors import UserError
from export.app.ngrams import NGrams

LONGEST_S = 30
LARGEST_BYTES = 5_000_000
RATES = (8_000, 96_000)
SILENCE_S = 0.3  # before and after: without it the recognizer loses the first and the last word
VOICELESS = frozenset(["P", "T", "K", "F", "TH"])  # Sounds after which a plural's s is not voiced.
SHORTEST_PART = 3  # letters

Hear = Callable[[sr.AudioData], str]

_ENGLISH = Path(sr.__file__).parent / "pocketsphinx-data" / "en-US"


def read_wav(path: str | Path) -> sr.AudioData:
    """Reads a recording; nothing but uncompressed WAV is decoded, by Python itself.

    Raises:
        UserError: The file is too large, too long, empty or no such WAV.
    """
    path = Path(path)
    if path.stat().st_size > LARGEST_BYTES:
        raise UserError(f"the recording is larger than {LARGEST_BYTES // 1_000_000} MB")
    try:
        with wave.open(str(path), "rb") as file:
            rate, width, channels = file.getframerate(), file.getsampwidth(), file.getnchannels()
            frames = file.getnframes()
            if not RATES[0] <= rate <= RATES[1] or width > 4 or channels > 2:
                raise UserError(
                    f"the recording has {channels} channels at {rate} Hz: save it as WAV with one "
                    f"or two channels at {RATES[0]} to {RATES[1]} Hz"
                )
            if frames > LONGEST_S * rate:
                raise UserError(f"the recording is longer than {LONGEST_S} seconds")
            data = file.readframes(frames)
    except (wave.Error, EOFError) as error:
        raise UserError(
            f"this is no WAV file ({error or 'it ends early'}): save it as WAV"
        ) from error
    data = data[: len(data) // (width * channels) * (width * channels)]
    if len(data) < rate * width * channels // 10:
        raise UserError("the recording is empty: hold the button while you speak")
    if channels == 2:
        data = _first_channel(data, width)
    quiet = (b"\x80" if width == 1 else bytes(width)) * int(SILENCE_S * rate)
    return sr.AudioData(quiet + data + quiet, rate, width)


def recognizer(name: str, captions: NGrams) -> Hear:
    """A function from a recording to what was said.

    Args:
        name: Of SpeechRecognition; "sphinx" alone needs nothing but what is installed.
        captions: What sphinx expects to hear.
    """
    hear = sphinx(captions) if name == "sphinx" else getattr(sr.Recognizer(), f"recognize_{name}")

    def understood(audio: sr.AudioData) -> str:
        try:
            return " ".join(hear(audio).lower().split())
        except sr.UnknownValueError:
            return ""
        except (sr.RequestError, sr.exceptions.SetupError, ImportError) as error:
            raise UserError(f"the recognizer {name} does not answer: {error}") from error

    return understood


def sphinx(captions: NGrams) -> Hear:
    """pocketsphinx with a language model of captions; its files live as long as the function."""
    folder = tempfile.TemporaryDirectory(prefix="t2i_words_")
    model, dictionary = Path(folder.name, "captions.lm"), Path(folder.name, "captions.dict")
    model.write_text("\n".join(captions.arpa()) + "\n")
    sounds = english()
    spoken = {word: pronunciations(word, sounds) for word in captions.words}
    dictionary.write_text(
        "".join(
            f"{word}{f'({i})' if i > 1 else ''} {said}\n"
            for word, ways in spoken.items()
            for i, said in enumerate(ways, start=1)
        )
    )
    files = (str(_ENGLISH / "acoustic-model"), str(model), str(dictionary))

    def hear(audio: sr.AudioData, folder=folder) -> str:
        return sr.Recognizer().recognize_sphinx(audio, language=files)

    return hear


def pronunciations(word: str, sounds: Mapping[str, list[str]]) -> list[str]:
    """How a word is said: as in the dictionary, or else as a plural or as two words in one.

    Args:
        word: Lower-case.
        sounds: The dictionary: for each word its pronunciations.

    Returns:
        The ways to say it; none where the dictionary does not help.
    """
    if word in sounds:
        return sounds[word]
    if word.endswith("s") and (single := sounds.get(word[:-1])):
        return [f"{said} {'S' if said.split()[-1] in VOICELESS else 'Z'}" for said in single]
    for place in range(len(word) - SHORTEST_PART, SHORTEST_PART - 1, -1):
        first, last = sounds.get(word[:place]), sounds.get(word[place:])
        if first and last:
            return [f"{first[0]} {last[0]}"]
    return []


@functools.cache
def english() -> dict[str, list[str]]:
    """CMU's pronouncing dictionary, as it comes with SpeechRecognition."""
    sounds: dict[str, list[str]] = {}
    for line in (_ENGLISH / "pronounciation-dictionary.dict").read_text("utf-8").splitlines():
        word, _, said = line.partition(" ")
        sounds.setdefault(word.partition("(")[0], []).append(said)
    return sounds


def _first_channel(data, width):
    step = 2 * width
    return b"".join(data[i : i + width] for i in range(0, len(data), step))
