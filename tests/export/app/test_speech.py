"""Recordings are read safely, and captions are heard in them."""

import shutil
import subprocess
import wave

import numpy as np
import pytest

from data_pipeline.drawn.birds import COLOURS
from data_pipeline.support.errors import UserError
from data_pipeline.text.tokenizer import tokenize

sr = pytest.importorskip("speech_recognition", reason="pip install -r requirements-app.txt")
pytest.importorskip("pocketsphinx", reason="pip install -r requirements-app.txt")

from export.app import speech, words  # noqa: E402
from export.app.ngrams import NGrams  # noqa: E402

SOUNDS = {
    "eye": ["AY"],
    "ring": ["R IH NG"],
    "covert": ["K OW V ER T"],
    "bird": ["B ER D"],
    "white": ["W AY T", "HH W AY T"],
}


def write(path, seconds=1.0, rate=16_000, channels=1, width=2):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(bytes(range(256)) * int(seconds * rate * channels * width / 256))
    return path


def test_a_recording_is_read_as_it_is_and_of_two_channels_the_first(tmp_path):
    audio = speech.read_wav(write(tmp_path / "mono.wav", 1.024))
    assert audio.frame_data == bytes(range(256)) * 128
    stereo = speech.read_wav(write(tmp_path / "stereo.wav", 1.024, channels=2))
    assert len(stereo.frame_data) == len(audio.frame_data)
    assert stereo.frame_data[:4] == bytes([0, 1, 4, 5])
    assert (stereo.sample_rate, stereo.sample_width) == (16_000, 2)


@pytest.mark.parametrize("gain", [0.001, 0.1, 1.0])
def test_a_recording_is_made_equally_loud_with_quiet_around_it(gain, rng):
    sound = (gain * rng.normal(0, 9000, 48_000)).astype("<i2")
    even = speech.evened(sr.AudioData(sound.tobytes(), 48_000, 2))
    heard = np.frombuffer(even.frame_data, "<i2").astype(float)
    quiet = int(speech.QUIET_S * speech.SPHINX_RATE)
    assert len(heard) == pytest.approx(speech.SPHINX_RATE + 2 * quiet, abs=2)
    assert heard[quiet:-quiet].std() == pytest.approx(speech.LOUDNESS, rel=0.02)
    assert heard[:quiet].std() == pytest.approx(speech.NOISE, rel=0.1)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (dict(seconds=speech.LONGEST_S + 1), "longer than 30 seconds"),
        (dict(seconds=0), "empty"),
        (dict(rate=1000, seconds=2), "1000 Hz"),
        (dict(channels=6, seconds=2), "6 channels"),
        (dict(rate=96_000, seconds=28), "5 MB"),
    ],
)
def test_other_recordings_are_refused_with_the_reason(tmp_path, options, named):
    with pytest.raises(UserError, match=named):
        speech.read_wav(write(tmp_path / "said.wav", **options))


@pytest.mark.parametrize(
    "content", [b"", b"a text file", b"RIFF\xff\xff\xff\xffWAVEfmt ", b"\0" * 99]
)
def test_what_is_no_wav_is_refused(tmp_path, content):
    path = tmp_path / "said.wav"
    path.write_bytes(content)
    with pytest.raises(UserError, match="no WAV file"):
        speech.read_wav(path)


def test_words_that_the_dictionary_lacks_are_said_as_plurals_or_as_two_words():
    assert speech.pronunciations("white", SOUNDS) == ["W AY T", "HH W AY T"]
    assert speech.pronunciations("coverts", SOUNDS) == ["K OW V ER T S"]
    assert speech.pronunciations("birds", SOUNDS) == ["B ER D Z"]
    assert speech.pronunciations("eyering", SOUNDS) == ["AY R IH NG"]
    assert speech.pronunciations("xyzzy", SOUNDS) == []


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng")
def test_a_spoken_caption_is_heard_in_the_captions_words(tmp_path):
    hear = speech.recognizer("sphinx", NGrams(words.bird_captions()))
    said = "this bird has a yellow crown, a red belly and black wings"
    path = tmp_path / "said.wav"
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "150", "-w", path, said], check=True)
    heard = tokenize(hear(speech.read_wav(path)))
    assert [word for word in heard if word in COLOURS] == ["yellow", "red", "black"]
    assert {"crown", "belly", "wings"} <= set(heard)
