"""How well spoken captions are heard, with and without the language model of captions.

    python -m benchmarks.speech

espeak-ng says captions of birds of unseen species in three voices, clean and in white noise at
10 dB; pocketsphinx hears them with its own language model of English and with the one of captions.
Prints a Markdown table. Needs espeak-ng and requirements-app.txt.
"""

import itertools
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import speech_recognition as sr
from absl import flags

from data_pipeline.drawn.birds import COLOURS
from data_pipeline.drawn.captions import captions
from data_pipeline.drawn.species import plan
from data_pipeline.support.errors import run
from data_pipeline.text.tokenizer import tokenize
from export.app import speech
from export.app.ngrams import NGrams

VOICES = ("en-us", "en-us+f3", "en-gb")
SIGNAL_TO_NOISE_DB = 10.0
WORDS_PER_MINUTE = 150


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """The least number of words to replace, add or leave out (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, start=1):
        corner, row[0] = row[0], i
        for j, other in enumerate(heard, start=1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (word != other))
    return row[-1]


def split_captions(count: int) -> tuple[list[str], list[str]]:
    """Captions to learn from, and `count` captions of other species."""
    rng = np.random.default_rng(0)
    birds, _ = plan(1200, 300, None, 7, "plain")
    learned = [c for b in birds if b.split == "train" for c in captions(b.attributes, rng, 4)]
    unseen = [captions(b.attributes, rng, 1)[0] for b in birds if b.split == "test"]
    return learned, unseen[:: len(unseen) // count][:count]


def spoken(text: str, voice: str, folder: Path) -> sr.AudioData:
    """What espeak-ng says."""
    path = folder / "said.wav"
    say = ["espeak-ng", "-v", voice, "-s", str(WORDS_PER_MINUTE), "-w", str(path), text]
    subprocess.run(say, check=True)
    return speech.read_wav(path)


def noisy(audio: sr.AudioData, rng: np.random.Generator) -> sr.AudioData:
    """The recording in white noise."""
    sound = np.frombuffer(audio.get_raw_data(convert_width=2), "<i2").astype(float) / 4
    loudness = np.sqrt(np.mean(sound**2) / 10 ** (SIGNAL_TO_NOISE_DB / 10))
    sound += rng.normal(0.0, loudness, len(sound))
    data = np.clip(sound, -32768, 32767).astype("<i2").tobytes()
    return sr.AudioData(data, audio.sample_rate, 2)


def _english(audio):
    try:
        return sr.Recognizer().recognize_sphinx(speech.evened(audio))
    except sr.UnknownValueError:
        return ""


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_integer("captions", 100, "Captions that each voice says.", 1, 300)
    flags.DEFINE_boolean("english", True, "Also hear with the language model of English.")


def main(arguments: list[str]) -> None:
    """Prints the table."""
    learned, unseen = split_captions(flags.FLAGS.captions)
    hear = {"of captions": speech.recognizer("sphinx", NGrams(learned))}
    if flags.FLAGS.english:
        hear = {"of English": _english, **hear}
    rng = np.random.default_rng(0)
    print("| voice | sound | language model | words wrong | colour words right |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for voice, noise in itertools.product(VOICES, (False, True)):
            recordings = []
            for text in unseen:
                audio = spoken(text, voice, Path(folder))
                recordings.append(noisy(audio, rng) if noise else audio)
            for name, recognize in hear.items():
                _row(voice, noise, name, unseen, [recognize(audio) for audio in recordings])


def _row(voice, noise, name, captions, results):
    wrong = total = colours_wrong = colours = 0
    for caption, result in zip(captions, results, strict=True):
        said, heard = tokenize(caption), tokenize(result)
        wrong, total = wrong + errors(said, heard), total + len(said)
        said, heard = ([word for word in words if word in COLOURS] for words in (said, heard))
        colours_wrong, colours = colours_wrong + errors(said, heard), colours + len(said)
    sound = f"noise at {SIGNAL_TO_NOISE_DB:.0f} dB" if noise else "clean"
    right = 1 - colours_wrong / colours
    print(f"| {voice} | {sound} | {name} | {wrong / total:.1%} | {right:.1%} |", flush=True)


if __name__ == "__main__":
    run(main, define_flags)
