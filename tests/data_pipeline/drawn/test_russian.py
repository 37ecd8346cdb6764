import itertools
import re

import numpy as np
import pytest

from data_pipeline.drawn.birds import PARTS
from data_pipeline.drawn.captions import MAX_TOKENS, captions, permuted_colours, told
from data_pipeline.drawn.russian import COLOURS
from data_pipeline.drawn.species import ATTRIBUTES, plan

# What a reader knows of Russian apart from the grammar that is tested: nouns by gender or number,
# and the endings of adjectives by the gender and the ending of their noun.
NOUNS = {
    "belly": {"n": "брюшк[ое]м?", "f": "грудк(?:а|у|ой)|грудь(?:ю)?", "m": "живот(?:ом)?"},
    "wing": {"p": "крылья(?:ми)?|перья(?:ми)? на крыльях"},
    "crown": {"f": "(?:макушк|шапочк)(?:а|у|ой)|голов(?:а|у|ой)", "n": "темя|теменем"},
}
PLACES = {"belly": "груди|брюшке|животе", "wing": "крыльях", "crown": "голове|макушке|темени"}
STEMS = "красн|оранжев|жёлт|зелён|син|коричнев|чёрн|бел|сер"
ENDINGS = {
    ("m", ""): "ый|ий",
    ("n", "о"): "ое|ее",
    ("n", "я"): "ое|ее",
    ("f", "а"): "ая|яя",
    ("f", "ь"): "ая|яя|ую|юю",
    ("f", "у"): "ую|юю",
    ("f", "ой"): "ой|ей",
    ("f", "ю"): "ой|ей",
    ("m", "ом"): "ым|им",
    ("n", "м"): "ым|им",
    ("p", "я"): "ые|ие",
    ("p", "ми"): "ыми|ими",
}
TOLD = {
    ("size", "small"): r"(маленькая|маленькой|небольшая|небольшой|крошечная|крошечной) |птичк",
    ("size", "medium"): r"среднего размера|средних размеров",
    ("size", "large"): r"(крупная|крупной|большая|большой) ",
    ("bill", "curved"): r"(изогнут|загнут)\w+ (вниз )?клюв",
    ("bill", "stout"): r"(толст|массивн)\w+ клюв",
    ("bill", "long"): r"длинн\w+ (тонк\w+ |остр\w+ )?клюв",
    ("tail", "long"): r"длинн\w+ хвост",
    ("tail", "short"): r"коротк\w+ хвост",
    ("crest", "crest"): r"хохол",
    ("eyering", "thin"): r"тонк\w+ кольц",
    ("eyering", "bold"): r"(широк|светл)\w+ кольц",
    ("wingbars", "one"): r"полоск(а|у|ой) ",
    ("wingbars", "two"): r"полоск(и|ами) ",
    ("legs", "strong"): r"лапы|лапами",
    ("legs", "dark"): r"тёмны\w+ лапк",
    ("perch", "branch"): r"ветке",
    ("perch", "ground"): r"земле|траве",
    ("perch", "rock"): r"камне",
    ("perch", "stump"): r"пне",
    ("direction", "left"): r"(влево|налево)",
    ("direction", "right"): r"(вправо|направо)",
    ("backdrop", "pale"): r"фон светлый|светлый фон",
    ("backdrop", "dark"): r"фон тёмный|тёмный фон",
    ("backdrop", "leafy"): r"листва|листья",
}
COLOUR_OF = {form: colour for colour, forms in COLOURS.items() for form in forms}


@pytest.fixture(scope="module", params=["plain", "full"])
def written(request):
    pictures, _ = plan(729 * 2, 729, 729, 0, request.param)
    rng = np.random.default_rng(0)
    birds = (picture.attributes for picture in pictures[::4])
    return [(attributes, captions(attributes, rng, 10, "ru")) for attributes in birds]


def read_colours(line):
    """The colour words beside each part, and those that stand alone."""
    colour = rf"\b((?:{STEMS})\w+)"
    found = {}
    for part, genders in NOUNS.items():
        noun = "|".join(genders.values())
        bird = r"(?: у (?:этой )?(?:\w+ )?птич?[цк]?[аиы](?: средн\w+ размер\w+)?)?"
        patterns = (
            rf"{colour} (?:{noun})\b",
            rf"\b(?:{noun}){bird} {colour}",
            rf"на (?:{PLACES[part]}){bird} (?:перья )?{colour}",
        )
        matches = [match[1] for p in patterns if (match := re.search(p, line))]
        if matches:
            found[part] = matches[0]
    rest = [word for word in re.findall(colour, line) if word not in found.values()]
    return found, (rest or [None])[0]


def test_captions_have_the_right_form(written):
    longest = MAX_TOKENS["full" if "direction" in written[0][0] else "plain"]
    words = set()
    for attributes, lines in written:
        assert len(lines) == len(set(lines)) == 10
        for line in lines:
            assert re.fullmatch("[а-яё, ]+", line) and "  " not in line and " ," not in line
            tokens = re.findall(r"\w+", line)
            assert 6 <= len(tokens) <= longest, line
            words.update(tokens)
            named = {COLOUR_OF[token] for token in tokens if token in COLOUR_OF}
            assert named == {attributes[part] for part in PARTS}, line
    assert all(words & set(forms) for forms in COLOURS.values())
    assert len(words) < 260


def test_each_caption_tells_all_three_colours(written):
    for attributes, lines in written:
        for line in lines:
            found, whole = read_colours(line)
            for part in PARTS:
                assert COLOUR_OF[found.get(part, whole)] == attributes[part], line


def test_adjectives_agree_with_their_nouns(written):
    nouns = [(gender, noun) for genders in NOUNS.values() for gender, noun in genders.items()]
    checked = set()
    for line in (line for _, lines in written for line in lines):
        for gender, noun in nouns:
            for stem, ending, form in re.findall(rf"\b({STEMS})(\w+) ((?:{noun}))\b", line):
                last = form.removesuffix(" на крыльях")
                tails = (t for g, t in ENDINGS if g == gender and last.endswith(t))
                tail = max(tails, key=len)
                assert re.fullmatch(ENDINGS[gender, tail], ending), line
                soft = ("ий", "яя", "ее", "ие", "юю", "ей", "им", "ими")
                assert (ending in soft) == (stem == "син"), line
                checked.add((gender, tail))
    assert checked == set(ENDINGS)


def test_what_else_a_caption_tells_is_true(written):
    seen = set()
    for attributes, lines in written:
        for line in lines:
            assert told(line) <= set(attributes)
            names = set()
            for (name, value), words in TOLD.items():
                if re.search(rf"\b(?:{words})", line):
                    assert attributes[name] == value, line
                    assert name in told(line), line
                    seen.add((name, value))
                    names.add(name)
            assert told(line) - names <= {"bill", "legs"}, line
    varied = {name for name, values in ATTRIBUTES.items() if name in written[0][0]}
    plain = {("crest", "crest"), ("perch", "ground"), ("perch", "rock"), ("perch", "stump")}
    expected = {(name, value) for name, value in TOLD if name in varied}
    assert seen == (expected if "direction" in varied else expected - plain)


def test_wording_varies(written):
    colour = re.compile("|".join(COLOUR_OF))
    assert len({colour.sub("_", line) for _, lines in written[:100] for line in lines}) > 500


def test_permuted_colours_keep_each_places_form():
    forms = {
        "red": ("красной", "красными", "красная"),
        "blue": ("синей", "синими", "синяя"),
        "white": ("белой", "белыми", "белая"),
    }
    text = "птица с {} грудкой и {} крыльями, шапочка {}"

    def written_as(order):
        return text.format(*(forms[colour][place] for place, colour in enumerate(order)))

    expected = {written_as(order) for order in itertools.permutations(forms)}
    caption = written_as(("red", "blue", "white"))
    assert permuted_colours(caption) == sorted(expected - {caption})


def test_permuted_colours_are_captions_of_the_exchanged_bird(written):
    for attributes, lines in written[:60]:
        for permuted in permuted_colours(lines[0]):
            found, whole = read_colours(permuted)
            colours = [COLOUR_OF[found.get(part, whole)] for part in PARTS]
            assert colours != [attributes[part] for part in PARTS], permuted
            assert set(colours) == {attributes[part] for part in PARTS}
