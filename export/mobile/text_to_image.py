"""Draws a picture from a caption with a LiteRT file: what the apps beside it do, in Python.

    python export/mobile/text_to_image.py --model=phone/text_to_image_float16.tflite \
        --text="a small red bird with black wings" --output=bird.png

Needs ai-edge-litert, numpy and pillow, and nothing of TensorFlow or of this project.
"""

import argparse
import json
import re
import unicodedata
import zipfile
from collections.abc import Container

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

SIGNATURE = "generate_from_noise"
TOKENS, NOISE, IMAGE = "tokens", "noise", "image"
VOCABULARY = "vocabulary.txt"
CONFIG = "config.json"
UNSPACED = "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
LONGEST_WORD = 1000  # bytes that are cut into pieces


def tokenize(text: str) -> list[str]:
    """The caption's words: runs of letters, marks, digits and underscores, in lower case.

    Chinese characters and kana are a word each.
    """
    text = text.lower().replace("ς", "σ")
    text = "".join(c if c == "_" or unicodedata.category(c)[0] in "LMN" else " " for c in text)
    return re.sub(UNSPACED, r" \g<0> ", text).split()


def cut(word: str, known: Container[str]) -> list[str]:
    """The longest known pieces of a word, from the left; the word itself if there is no way."""
    pieces, start = [], 0
    while start < len(word) and len(word.encode()) <= LONGEST_WORD:
        begun = "##" if start else ""
        ends = range(len(word), start, -1)
        end = next((end for end in ends if begun + word[start:end] in known), None)
        if end is None:
            return [word]
        pieces.append(begun + word[start:end])
        start = end
    return pieces or [word]


class TextToImage:
    """A LiteRT file, and the vocabulary and the tokenizer's name within it.

    Args:
        path: A file that `python -m export.tflite` wrote.

    Raises:
        ValueError: The file is no model or holds no vocabulary.
    """

    def __init__(self, path: str):
        try:
            with zipfile.ZipFile(path) as archive:
                words = archive.read(VOCABULARY).decode("utf-8").removesuffix("\n").split("\n")
                config = json.loads(archive.read(CONFIG))
        except (zipfile.BadZipFile, KeyError) as error:
            raise ValueError(f"{path} lacks {VOCABULARY} or {CONFIG}: export it anew") from error
        self.ids = {word: number for number, word in enumerate(words)}
        self.wordpiece = config.get("tokenizer") == "wordpiece"
        self.draw_with = Interpreter(path).get_signature_runner(SIGNATURE)
        inputs = self.draw_with.get_input_details()
        self.max_words = inputs[TOKENS]["shape"][1]
        self.noise_dim = inputs[NOISE]["shape"][1]

    def tokens(self, text: str) -> list[str]:
        """The caption's words, or their pieces where the model reads wordpieces."""
        if not self.wordpiece:
            return tokenize(text)
        words = tokenize(unicodedata.normalize("NFKC", text))
        return [piece for word in words for piece in cut(word, self.ids)]

    def encode(self, text: str) -> np.ndarray:
        """Token ids, int32 `[1, T]`; words that the model does not know are left out.

        Raises:
            ValueError: It knows none of them.
        """
        ids = [self.ids[word] for word in self.tokens(text) if word in self.ids][: self.max_words]
        if not ids:
            raise ValueError(f"the model knows no word of {text!r}")
        return np.int32([ids + [0] * (self.max_words - len(ids))])

    def draw(self, text: str, seed: int = 0) -> np.ndarray:
        """A picture, uint8 `[H, W, 3]`; each seed gives another."""
        noise = np.random.default_rng(seed).standard_normal((1, self.noise_dim), np.float32)
        return self.draw_with(**{TOKENS: self.encode(text), NOISE: noise})[IMAGE][0]


def main() -> None:
    """Draws what the command line asks for."""
    parser = argparse.ArgumentParser(description="Draws a picture from a caption.")
    parser.add_argument("--model", required=True, help="text_to_image_<variant>.tflite")
    parser.add_argument("--text", required=True, help="the caption")
    parser.add_argument("--seed", type=int, default=0, help="each seed gives another picture")
    parser.add_argument("--output", required=True, help="the picture's file")
    options = parser.parse_args()
    try:
        picture = TextToImage(options.model).draw(options.text, options.seed)
        Image.fromarray(picture).save(options.output)
    except (OSError, ValueError) as error:
        parser.exit(1, f"error: {error}\n")


if __name__ == "__main__":
    main()
