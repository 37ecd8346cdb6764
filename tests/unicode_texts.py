"""Random texts of many scripts, to compare the forms of a tokenizer."""

import unicodedata

# First and last characters of blocks that Unicode 13 and all later versions fill alike: Latin,
# accents, Greek, Cyrillic, Armenian, Hebrew, Arabic, Devanagari, Thai, Hangul, punctuation,
# numbers, kana, Chinese characters, compatibility forms, Deseret, mathematics, pictures.
BLOCKS = (
    *((0x0, 0x7F), (0x20, 0x7F), (0x80, 0x24F), (0x250, 0x2FF), (0x300, 0x36F), (0x386, 0x3FF)),
    *((0x400, 0x52F), (0x531, 0x586), (0x5D0, 0x5EA), (0x610, 0x64A), (0x900, 0x97F)),
    *((0xE01, 0xE5B), (0x1100, 0x11FF), (0x1E00, 0x1EFF), (0x1F00, 0x1FFC), (0x2000, 0x206F)),
    *((0x2070, 0x209C), (0x2150, 0x2188), (0x2460, 0x24FF), (0x3000, 0x30FF), (0x3400, 0x3480)),
    *((0x4E00, 0x4F00), (0xAC00, 0xD7A3), (0xF900, 0xFA6D), (0xFB00, 0xFB06), (0xFE00, 0xFE0F)),
    *((0xFF01, 0xFFEE), (0x10400, 0x1044F), (0x1D400, 0x1D7FF), (0x1F300, 0x1F64F)),
    *((0x20000, 0x20100), (0xE0100, 0xE01EF)),
)


def random_texts(rng, count):
    """Texts of up to 25 characters: of one block, of all, and of either with spaces between."""
    return [_text(rng) for _ in range(count)]


def _text(rng):
    blocks = rng.integers(0, len(BLOCKS), rng.integers(26))
    if rng.random() < 0.5:
        blocks[:] = blocks[:1]
    letters = [chr(rng.integers(BLOCKS[i][0], BLOCKS[i][1] + 1)) for i in blocks]
    if rng.random() < 0.5:
        letters[::4] = " " * len(letters[::4])
    return "".join(letter for letter in letters if unicodedata.category(letter) != "Cn")
