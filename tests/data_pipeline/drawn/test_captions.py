import itertools
import re

import numpy as np
import pytest

from data_pipeline.drawn.birds import COLOURS, PARTS
from data_pipeline.drawn.captions import MAX_TOKENS, captions, permuted_colours, told
from data_pipeline.drawn.species import ATTRIBUTES, plan

NOUNS = {
    "belly": "belly|breast|chest|underside|bellied|breasted",
    "wing": "wings|wing|coverts|winged",
    "crown": "crown|head|cap|crowned|headed",
}


# What a reader takes a caption to say of the other attributes.
TOLD = {
    ("size", "small"): r"(small|little|tiny) (?!pointed|bill|beak)",
    ("size", "medium"): r"medium sized",
    ("size", "large"): r"(large|big)\b",
    ("bill", "curved"): r"curved (bill|beak)",
    ("bill", "stout"): r"(thick|stout) (bill|beak)",
    ("tail", "long"): r"long tail",
    ("tail", "short"): r"short tail",
    ("crest", "crest"): r"crest",
    ("eyering", "bold"): r"(bold|pale) eyering",
    ("wingbars", "one"): r"wingbar\b",
    ("wingbars", "two"): r"wingbars\b",
    ("legs", "strong"): r"strong legs",
    ("perch", "branch"): r"branch",
    ("perch", "ground"): r"ground|grass",
    ("perch", "rock"): r"rock",
    ("perch", "stump"): r"stump",
    ("direction", "left"): r"(facing|looking|turned) (to the )?left",
    ("direction", "right"): r"(facing|looking|turned) (to the )?right",
    ("backdrop", "pale"): r"(pale|light) background",
    ("backdrop", "dark"): r"dark background",
    ("backdrop", "leafy"): r"leaves",
}


@pytest.fixture(scope="module", params=["plain", "full"])
def written(request):
    pictures, _ = plan(729 * 2, 729, 729, 0, request.param)
    rng = np.random.default_rng(0)
    return [(picture.attributes, captions(picture.attributes, rng)) for picture in pictures[::4]]


def read_colours(caption):
    """What a reader takes a caption to say: colour by part, and the whole bird's colour."""
    colour = "|".join(COLOURS)
    found = {}
    for part, nouns in NOUNS.items():
        before = re.search(rf"\b({colour}) (?:{nouns})\b", caption)
        after = re.search(
            rf"\b(?:{nouns})(?: feathers)?(?: of this bird)?(?: that)?(?: is| are)? ({colour})\b",
            caption,
        )
        on = re.search(rf"\b({colour}) on (?:its|the) (?:top of its )?(?:{nouns})\b", caption)
        match = on or before or after
        if match:
            found[part] = match[1]
    rest = [word for word in re.findall(rf"\b({colour})\b", caption) if word not in found.values()]
    return found, (rest or [None])[0]


def test_captions_have_the_right_form(written):
    words = set()
    longest = MAX_TOKENS["full" if "direction" in written[0][0] else "plain"]
    for attributes, lines in written:
        assert len(lines) == len(set(lines)) == 10
        for line in lines:
            assert line == line.lower()
            tokens = re.findall(r"\w+", line)
            assert 6 <= len(tokens) <= longest, line
            words.update(tokens)
            assert {token for token in tokens if token in COLOURS} == {
                attributes[part] for part in PARTS
            }, line
            assert not re.search(r"\ba [aeo]|\ban [^aeo]", line), line
    assert set(COLOURS) <= words
    assert len(words) < 150


def test_each_caption_tells_all_three_colours(written):
    for attributes, lines in written:
        for line in lines:
            found, whole = read_colours(line)
            for part in PARTS:
                assert found.get(part, whole) == attributes[part], line


def test_what_else_a_caption_tells_is_true(written):
    seen = set()
    for attributes, lines in written:
        for line in lines:
            assert told(line) <= set(attributes)
            for (name, value), words in TOLD.items():
                if re.search(rf"\b{words}", line):
                    assert attributes[name] == value, line
                    assert name in told(line), line
                    seen.add((name, value))
    varied = {name for name, values in ATTRIBUTES.items() if name in written[0][0]}
    plain = {("crest", "crest"), ("perch", "ground"), ("perch", "rock"), ("perch", "stump")}
    expected = {(name, value) for name, value in TOLD if name in varied}
    assert seen == (expected if "direction" in varied else expected - plain)


def test_told_reads_no_more_than_is_there():
    assert told("a small bird that is all red with a small pointed bill") == {"size", "bill"}
    assert told("a bird with a red belly, blue wings and a small bill") == {"bill"}
    assert told("this bird is all red") == set()


def test_wording_varies(written):
    colour = re.compile("|".join(COLOURS))
    assert len({colour.sub("_", line) for _, lines in written[:100] for line in lines}) > 500


def test_shared_colours_are_merged_about_half_of_the_time():
    attributes = {"belly": "red", "wing": "red", "crown": "black"} | {
        "size": "small",
        "bill": "short",
        "tail": "long",
        "eyering": "none",
        "wingbars": "none",
        "legs": "dark",
        "perch": "branch",
    }
    lines = captions(attributes, np.random.default_rng(0), 400)
    merged = sum(line.count("red") == 1 for line in lines) / len(lines)
    assert 0.2 < merged < 0.6


def test_permuted_colours_exchanges_places():
    caption = "a red bird with black wings and a white crown"
    expected = {
        "a {} bird with {} wings and a {} crown".format(*order)
        for order in itertools.permutations(("red", "black", "white"))
    } - {caption}
    assert permuted_colours(caption) == sorted(expected)


@pytest.mark.parametrize(
    ("caption", "number"),
    [
        ("red belly, red wings and a black crown", 2),
        ("this bird is all red with a short bill", 0),
        ("a reddish bird", 0),
    ],
)
def test_permuted_colours_are_distinct(caption, number):
    permuted = permuted_colours(caption)
    assert len(permuted) == len(set(permuted)) == number
    assert caption not in permuted
