"""Speech to text: a recording becomes a caption, offline unless another recognizer is asked for.

pocketsphinx hears any English; it is told which words there are and which follow which in captions,
so that "crown" is not heard as "clown".
"""

import functools
import os
import tempfile
import threading
import wave
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pocketsphinx
import speech_recognition as sr

from data_pipeline.support.errors import UserError
from export.app.ngrams import NGrams

LONGEST_S = 30
LARGEST_BYTES = 5_000_000
RATES = (8_000, 96_000)
# What sphinx hears: without quiet at both ends it loses words there, and of digital silence, which
# no microphone gives, it makes nothing good either.
SPHINX_RATE, QUIET_S, LOUDNESS, NOISE = 16_000, 0.3, 3000.0, 30.0
GAUSSIANS, LANGUAGE_WEIGHT = 8, 9.0
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
        raise UserError("the recording is empty: press the microphone, then speak")
    if channels == 2:
        data = _first_channel(data, width)
    return sr.AudioData(data, rate, width)


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
    """pocketsphinx with a language model of captions, loaded once; may be called from threads.

    SpeechRecognition's own function leaves out what matters most for the words' accuracy: how many
    of the acoustic model's Gaussians are computed.
    """
    sounds = english()
    lines = [
        f"{word}{f'({i})' if i > 1 else ''} {said}\n"
        for word in captions.words
        for i, said in enumerate(pronunciations(word, sounds), start=1)
    ]
    with tempfile.TemporaryDirectory(prefix="t2i_words_") as folder:
        model, dictionary = Path(folder, "captions.lm"), Path(folder, "captions.dict")
        model.write_text("\n".join(captions.arpa()) + "\n")
        dictionary.write_text("".join(lines))
        decoder = pocketsphinx.Decoder(
            hmm=str(_ENGLISH / "acoustic-model"),
            lm=str(model),
            dict=str(dictionary),
            logfn=os.devnull,
            topn=GAUSSIANS,
            lw=LANGUAGE_WEIGHT,
        )
    turn = threading.Lock()

    def hear(audio: sr.AudioData) -> str:
        with turn:
            decoder.start_utt()
            decoder.process_raw(evened(audio).frame_data, full_utt=True)
            decoder.end_utt()
            found = decoder.hyp()
        return found.hypstr if found else ""

    return hear


def evened(audio: sr.AudioData) -> sr.AudioData:
    """The recording at an even loudness, with quiet before and after it, and a little noise."""
    raw = audio.get_raw_data(convert_rate=SPHINX_RATE, convert_width=2)
    sound = np.frombuffer(raw, "<i2").astype(np.float32)
    sound *= LOUDNESS / max(float(np.sqrt(np.mean(sound**2))), 1.0)
    sound = np.pad(sound, int(QUIET_S * SPHINX_RATE))
    sound += np.random.default_rng(0).normal(0.0, NOISE, len(sound))
    return sr.AudioData(np.clip(sound, -32768, 32767).astype("<i2").tobytes(), SPHINX_RATE, 2)


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
    frames = np.frombuffer(data, np.uint8).reshape(-1, 2, width)
    return frames[:, 0].tobytes()
