"""Captions of drawn birds in Russian, a language of three genders and six cases.

Adjectives agree with their nouns; phrases stand in the nominative ("у птицы красная грудка"), the
accusative ("имеет красную грудку"), the instrumental ("птица с красной грудкой") or the genitive
("грудка красного цвета").
"""

from collections.abc import Iterable

import numpy as np

from data_pipeline.drawn.birds import PARTS
from data_pipeline.drawn.wording import pick, variety

# Endings of adjectives: nominative masculine, feminine, neuter, plural; genitive masculine and
# neuter; other cases of the feminine, but the accusative; that; instrumental masculine and neuter,
# plural.
_HARD = ("ый", "ая", "ое", "ые", "ого", "ой", "ую", "ым", "ыми")
_SOFT = ("ий", "яя", "ее", "ие", "его", "ей", "юю", "им", "ими")
_GENITIVE = 4
# The place among the endings, by case and by the noun's gender or number.
_ENDINGS = {
    "nominative": {"m": 0, "f": 1, "n": 2, "p": 3},
    "accusative": {"m": 0, "f": 6, "n": 2, "p": 3},
    "instrumental": {"m": 7, "f": 5, "n": 7, "p": 8},
}
_STEMS = {
    "red": "красн",
    "orange": "оранжев",
    "yellow": "жёлт",
    "green": "зелён",
    "blue": "син",
    "brown": "коричнев",
    "black": "чёрн",
    "white": "бел",
    "grey": "сер",
}
COLOURS = {
    colour: tuple(stem + ending for ending in (_SOFT if stem == "син" else _HARD))
    for colour, stem in _STEMS.items()
}

# Gender, then nominative, instrumental and, where it is not the nominative, accusative. Repeated
# entries are drawn more often.
_NOUNS = {
    "belly": (
        *("n брюшко/брюшком", "n брюшко/брюшком", "f грудка/грудкой/грудку"),
        *("f грудка/грудкой/грудку", "f грудь/грудью", "m живот/животом"),
    ),
    "wing": ("p крылья/крыльями", "p крылья/крыльями", "p перья на крыльях/перьями на крыльях"),
    "crown": (
        *("f макушка/макушкой/макушку", "f макушка/макушкой/макушку", "n темя/теменем"),
        *("f голова/головой/голову", "f голова/головой/голову", "f шапочка/шапочкой/шапочку"),
    ),
}
_PLACES = {
    "belly": ("на груди", "на брюшке", "на животе"),
    "wing": ("на крыльях",),
    "crown": ("на голове", "на макушке", "на темени"),
}
# Stems of an adjective and of a noun, and what follows them.
_BIRDS = {
    "small": (
        *(("маленьк", "птиц", ""), ("маленьк", "птичк", "")),
        *(("небольш", "птиц", ""), ("крошечн", "птичк", "")),
    ),
    "medium": (("", "птиц", " среднего размера"), ("", "птиц", " средних размеров")),
    "large": (("крупн", "птиц", ""), ("больш", "птиц", "")),
    None: (("", "птиц", ""),),
}
_BILLS = {
    "short": (
        *("короткий клюв/коротким клювом", "короткий острый клюв/коротким острым клювом"),
        *("маленький клюв/маленьким клювом", "маленький острый клюв/маленьким острым клювом"),
    ),
    "stout": (
        *("толстый клюв/толстым клювом", "короткий толстый клюв/коротким толстым клювом"),
        "массивный клюв/массивным клювом",
    ),
    "long": (
        *("длинный клюв/длинным клювом", "длинный тонкий клюв/длинным тонким клювом"),
        "длинный острый клюв/длинным острым клювом",
    ),
    "curved": (
        *("изогнутый клюв/изогнутым клювом", "загнутый вниз клюв/загнутым вниз клювом"),
        "длинный изогнутый клюв/длинным изогнутым клювом",
    ),
}
_TAILS = {
    "short": ("короткий хвост/коротким хвостом",),
    "medium": (),
    "long": ("длинный хвост/длинным хвостом", "очень длинный хвост/очень длинным хвостом"),
}
_EYERINGS = {
    "none": (),
    "thin": ("тонкое кольцо вокруг глаза/тонким кольцом вокруг глаза",),
    "bold": (
        "широкое кольцо вокруг глаза/широким кольцом вокруг глаза",
        "светлое кольцо вокруг глаза/светлым кольцом вокруг глаза",
    ),
}
_WINGBARS = {
    "none": (),
    "one": (
        "полоска на крыле/полоской на крыле/полоску на крыле",
        "светлая полоска на крыле/светлой полоской на крыле/светлую полоску на крыле",
    ),
    "two": (
        "две полоски на крыле/двумя полосками на крыле",
        "две светлые полоски на крыле/двумя светлыми полосками на крыле",
    ),
}
_LEGS = {
    "dark": ("тёмные лапки/тёмными лапками",),
    "pale": ("светлые лапки/светлыми лапками", "тонкие лапки/тонкими лапками"),
    "strong": ("крепкие лапы/крепкими лапами",),
}
_CRESTS = {"none": (), "crest": ("хохолок/хохолком", "острый хохолок/острым хохолком")}
_THINGS = {
    "plain": ((_TAILS, "tail"), (_EYERINGS, "eyering"), (_WINGBARS, "wingbars"), (_LEGS, "legs"))
}
_THINGS["full"] = (*_THINGS["plain"], (_CRESTS, "crest"))
_PERCHES = {
    "branch": ("сидит на ветке", "сидит на ветке", "стоит на ветке"),
    "ground": ("стоит на земле", "стоит в траве"),
    "rock": ("стоит на камне", "сидит на камне"),
    "stump": ("сидит на пне", "стоит на пне"),
}
_DIRECTIONS = {
    "left": ("смотрит влево", "смотрит налево", "повёрнута влево"),
    "right": ("смотрит вправо", "смотрит направо", "повёрнута вправо"),
}
_BACKDROPS = {
    "pale": ("фон светлый", "позади неё светлый фон"),
    "dark": ("фон тёмный", "позади неё тёмный фон"),
    "leafy": ("вокруг листва", "позади неё листья"),
}
# How often a caption of full variety tells where the bird is, which way it faces, and the backdrop.
_OFTEN = (0.6, 0.5, 0.3)

# {bird}, {of_bird}: "маленькая птица" and its genitive; {0}: the first part as a noun phrase in the
# nominative, {i0}, {a0} in other cases; {b0}: its noun alone, {w0} in the instrumental; {c0}: the
# colour that agrees with it, {g0} in the genitive; {on0}: its place, {p0}: its colour's plural.
# {list} are all three parts and what else is told, in the case that is given. Other templates are
# whole sentences, to which that is added by "у неё".
_NAMED = (
    *(("{bird} с {list}", "instrumental"), ("{bird} с {list}", "instrumental")),
    ("это {bird} с {list}", "instrumental"),
    ("на картинке {bird} с {list}", "instrumental"),
    ("эта {bird} отличается {list}", "instrumental"),
    *(("у этой {of_bird} {list}", "nominative"), ("у этой {of_bird} {list}", "nominative")),
    ("у {of_bird} {list}", "nominative"),
    ("{bird}, у которой {list}", "nominative"),
    ("это {bird}, у которой {list}", "nominative"),
    *(("эта {bird} имеет {list}", "accusative"), ("{bird} имеет {list}", "accusative")),
    ("у этой {of_bird} можно увидеть {list}", "accusative"),
    ("{b0} у этой {of_bird} {c0}, {b1} {c1}, а {b2} {c2}", None),
    ("{b0} у {of_bird} {c0}, {b1} {c1}, {b2} {c2}", None),
    ("у этой {of_bird} {b0} {c0}, {b1} {c1}, а {b2} {c2}", None),
    ("у этой {of_bird} {b0} {g0} цвета, {1} и {2}", None),
    ("это {bird} с {w0} {g0} цвета, {i1} и {i2}", None),
    ("перья {on0} у этой {of_bird} {p0}, {on1} {p1}, а {on2} {p2}", None),
    ("у этой {of_bird} {on0} перья {p0}, {on1} {p1}, а {on2} {p2}", None),
    ("эта {bird} с {i0} имеет {a1} и {a2}", None),
    ("у этой {of_bird} с {i0} {1} и {2}", None),
)
# For parts that share a colour: {f}, {n} agree with a bird and with its plumage, and
# {colour_bird}, {of_colour_bird} are birds of the colour. The first part is the one that differs.
_TWO_SAME = (
    *(("{colour_bird} с {list}", "instrumental"), ("это {colour_bird} с {list}", "instrumental")),
    ("эта {bird} в основном {f}, с {list}", "instrumental"),
    ("у этой {of_colour_bird} {list}", "nominative"),
    ("эта {colour_bird} имеет {list}", "accusative"),
    ("эта {bird} {f}, а {b0} {c0}", None),
    ("оперение у этой {of_bird} {n}, а {b0} {c0}", None),
)
_ALL_SAME = (
    *(("эта {bird} вся {f}", None), ("эта {bird} полностью {f}", None)),
    *(("это {bird}, полностью {f}", None), ("на картинке {bird}, вся {f}", None)),
    ("у этой {of_bird} всё оперение {n}", None),
)

SIGNS = {
    "size": r"(?:маленьк|небольш|крошечн|крупн|больш)(?:ая|ой)|птичк[аи]|средн\w+ размер\w+",
    "bill": "клюв(?:ом)?",
    "tail": "хвост(?:ом)?",
    "crest": "хохолок|хохолком",
    "eyering": "кольцо|кольцом",
    "wingbars": r"полоск\w+",
    "legs": r"лап\w+",
    "perch": "ветке|земле|траве|камне|пне",
    "direction": "влево|вправо|налево|направо",
    "backdrop": "фон|листва|листья",
}


def caption(attributes: dict[str, str], rng: np.random.Generator) -> str:
    """Writes one caption; it may be of any length."""
    colours = [attributes[part] for part in PARTS]
    shared = max(colours, key=colours.count)
    parts = [_part(part, attributes[part], rng) for part in rng.permutation(PARTS)]
    templates, named = _NAMED, parts
    if colours.count(shared) > 1 and rng.random() < 0.5:
        named = [part for part in parts if part["colour"] != shared]
        templates = _TWO_SAME if named else _ALL_SAME
    template, case = pick(rng, templates)
    things = _things(attributes, rng)
    things = things[: int(rng.choice(3, p=(0.35, 0.5, 0.15)))]
    words = _birds(attributes, shared, rng)
    for place, part in enumerate(named):
        words |= {f"{key}{place}": word for key, word in part["words"].items()}
    if case:
        words["list"] = _listed(part["phrase"][case] for part in named + things)
    text = template.format(*(part["phrase"]["nominative"] for part in named), **words)
    if things and not case:
        text += ", у неё " + _listed(thing["phrase"]["nominative"] for thing in things)
    return text + _scene(attributes, rng)


def _part(part: str, colour: str, rng: np.random.Generator) -> dict:
    """A part's noun phrase in all cases, and its words for sentences."""
    gender, cases = pick(rng, _NOUNS[part]).split(" ", 1)
    noun, forms = _declined(cases), COLOURS[colour]
    phrase = {case: f"{forms[_ENDINGS[case][gender]]} {text}" for case, text in noun.items()}
    words = {
        "i": phrase["instrumental"],
        "a": phrase["accusative"],
        "b": noun["nominative"],
        "w": noun["instrumental"],
        "c": forms[_ENDINGS["nominative"][gender]],
        "g": forms[_GENITIVE],
        "on": pick(rng, _PLACES[part]),
        "p": forms[_ENDINGS["nominative"]["p"]],
    }
    return {"colour": colour, "phrase": phrase, "words": words}


def _birds(attributes: dict[str, str], colour: str, rng: np.random.Generator) -> dict[str, str]:
    """The bird with its size, and with its colour too."""
    told = rng.random() < 0.6
    size, noun, after = pick(rng, _BIRDS[attributes["size"] if told else None])
    forms = COLOURS[colour]
    endings = ("ая ", "ой ") if size else ("", "")
    of = "и" if noun.endswith("к") else "ы"
    return {
        "bird": f"{size}{endings[0]}{noun}а{after}",
        "of_bird": f"{size}{endings[1]}{noun}{of}{after}",
        "colour_bird": f"{size}{endings[0]}{forms[1]} {noun}а{after}",
        "of_colour_bird": f"{size}{endings[1]}{forms[5]} {noun}{of}{after}",
        "f": forms[1],
        "n": forms[2],
    }


def _things(attributes: dict[str, str], rng: np.random.Generator) -> list[dict]:
    """The bird's other features in random order, each with its phrase in all cases."""
    things = [pick(rng, _BILLS[attributes["bill"]])]
    for table, key in _THINGS[variety(attributes)]:
        if table[attributes[key]]:
            things.append(pick(rng, table[attributes[key]]))
    return [{"phrase": _declined(things[place])} for place in rng.permutation(len(things))]


def _declined(cases: str) -> dict[str, str]:
    nominative, instrumental, *accusative = cases.split("/")
    accusative = accusative[0] if accusative else nominative
    return dict(nominative=nominative, instrumental=instrumental, accusative=accusative)


def _scene(attributes: dict[str, str], rng: np.random.Generator) -> str:
    """Where the bird is and which way it faces: ", она сидит на ветке и смотрит влево"."""
    if variety(attributes) == "plain":
        perch = pick(rng, _PERCHES[attributes["perch"]])
        return f", она {perch}" if rng.random() < 0.15 else ""
    perch, direction, backdrop = (often > rng.random() for often in _OFTEN)
    acts = [pick(rng, _PERCHES[attributes["perch"]])] if perch else []
    acts += [pick(rng, _DIRECTIONS[attributes["direction"]])] if direction else []
    text = ", она " + " и ".join(acts) if acts else ""
    return text + (", " + pick(rng, _BACKDROPS[attributes["backdrop"]]) if backdrop else "")


def _listed(phrases: Iterable[str]) -> str:
    *first, last = phrases
    return f"{', '.join(first)} и {last}" if first else last
