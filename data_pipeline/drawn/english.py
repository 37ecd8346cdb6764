"""Captions of drawn birds in English, in CUB's wording."""

import re

import numpy as np

from data_pipeline.drawn import birds
from data_pipeline.drawn.birds import PARTS
from data_pipeline.drawn.wording import pick, variety

COLOURS = {colour: (colour,) for colour in birds.COLOURS}

# Repeated entries are drawn more often.
_NOUNS = {
    "belly": ("belly", "belly", "belly", "breast", "chest", "underside"),
    "wing": ("wings", "wings", "wings", "wing feathers", "coverts"),
    "crown": ("crown", "crown", "crown", "head", "cap"),
}
_PLURAL = frozenset(_NOUNS["wing"])
_PLACES = {
    "belly": ("its belly", "its breast", "the belly", "the underside"),
    "wing": ("its wings", "the wings"),
    "crown": ("its head", "its crown", "the crown", "the top of its head"),
}
_COMPOUNDS = {"belly": ("bellied", "breasted"), "wing": ("winged",), "crown": ("crowned", "headed")}
_SIZES = {
    "small": ("small ", "small ", "little ", "tiny "),
    "medium": ("medium sized ",),
    "large": ("large ", "large ", "big "),
}
_BILLS = {
    "short": ("short", "short pointed", "small pointed", "small"),
    "stout": ("thick", "short thick", "stout"),
    "long": ("long", "long thin", "long pointed"),
    "curved": ("curved", "long curved", "downward curved"),
}
_TAILS = {"short": ("a short tail",), "medium": (), "long": ("a long tail", "a very long tail")}
_EYERINGS = {"none": (), "thin": ("a thin eyering",), "bold": ("a bold eyering", "a pale eyering")}
_WINGBARS = {
    "none": (),
    "one": ("a wingbar", "a pale wingbar"),
    "two": ("wingbars", "pale wingbars"),
}
_LEGS = {"dark": ("dark legs",), "pale": ("pale legs", "thin legs"), "strong": ("strong legs",)}
_THINGS = {
    "plain": (
        (_TAILS, "tail"),
        (_EYERINGS, "eyering"),
        (_WINGBARS, "wingbars"),
        (_LEGS, "legs"),
    )
}
_CRESTS = {"none": (), "crest": ("a crest", "a pointed crest")}
_THINGS["full"] = (*_THINGS["plain"], (_CRESTS, "crest"))
_PERCHES = {
    "branch": ("perched on a branch", "sitting on a branch", "standing on a branch"),
    "ground": ("standing on the ground", "standing in the grass"),
    "rock": ("standing on a rock", "perched on a rock"),
    "stump": ("perched on a stump", "standing on a stump"),
}
_DIRECTIONS = {
    side: (f"facing {side}", f"facing to the {side}", f"looking {side}", f"turned to the {side}")
    for side in ("left", "right")
}
_BACKDROPS = {
    "pale": ("against a pale background", "before a light background"),
    "dark": ("against a dark background", "before a dark background"),
    "leafy": ("among leaves", "in front of leaves"),
}
# How often a caption of full variety tells an attribute.
_SCENE = ((_PERCHES, "perch", 0.6), (_DIRECTIONS, "direction", 0.5), (_BACKDROPS, "backdrop", 0.3))

# {size}: "small " or nothing; {bird}: "small bird"; {0}, {1}, {2}: the parts as noun phrases ("a
# red belly"); {b0}: the first without its colour ("a belly"); {n0}, {c0}: its noun and colour;
# {is0}: its verb; {on0}: its place ("its belly"); {x0}: "red bellied".
_LISTS = (
    "this bird has {0}, {1} and {2}",
    "this bird has {0}, {1}, and {2}",
    "this {bird} has {0}, {1} and {2}",
    "this {bird} has {0} with {1} and {2}",
    "the bird has {0}, {1} and {2}",
    "the {bird} has {0}, {1}, and {2}",
    "a {bird} with {0}, {1} and {2}",
    "a {bird} with {0}, {1}, and {2}",
    "a {bird} with {0} and {1} and {2}",
    "a {bird} that has {0}, {1} and {2}",
    "this is a {bird} with {0}, {1} and {2}",
    "this is a {bird} that has {0}, {1} and {2}",
    "this particular bird has {0}, {1} and {2}",
    "this bird with {0} has {1} and {2}",
    "a {bird} with {0} has {1} and {2}",
    "{bird} with {0}, {1} and {2}",
    "{0} and {1} on a {bird} with {2}",
    "this bird has {b0} that {is0} {c0} and has {1} and {2}",
    "this bird has {b0} that {is0} {c0}, {1} and {2}",
    "this {size}{x0} bird has {1} and {2}",
    "a {size}{x0} bird with {1} and {2}",
    "a {size}{x0} and {x1} bird with {2}",
    "this {bird} is {x0} and {x1} and has {2}",
)
# Templates that end in a predicate or a place: a further clause needs a "with".
_SENTENCES = (
    "a {bird} with {0}, and its {n1} {is1} {c1} and its {n2} {c2}",
    "this bird is {c0} on {on0}, {c1} on {on1} and {c2} on {on2}",
    "the {n0} of this bird {is0} {c0}, the {n1} {is1} {c1} and the {n2} {is2} {c2}",
    "its {n0} {is0} {c0}, its {n1} {is1} {c1} and its {n2} {is2} {c2}",
    "the {n0} {is0} {c0}, while the {n1} {is1} {c1} and the {n2} {is2} {c2}",
    "this bird has {0} and {1} with {c2} on {on2}",
    "a {bird} with {0}, {1} and {c2} on {on2}",
)
# For parts that share the colour {c}; {odd} is the noun phrase of the part that differs.
_ALL_SAME = (
    "this bird is all {c}",
    "this is a {size}all {c} bird",
    "a {size}bird that is all {c}",
    "this bird is completely {c}",
    "this {size}bird is entirely {c}",
    "this {size}bird is {c} all over",
)
_TWO_SAME = (
    "a {size}{c} bird with {odd}",
    "this is a {size}{c} bird with {odd}",
    "this {size}{c} bird has {odd}",
    "this bird is {c} with {odd}",
    "this bird is {c} and has {odd}",
    "this bird is mostly {c} with {odd}",
)

_AND_OR_WITH = (" and ", ", and ", " with ", ", with ")
_WITH = (" with ", ", with ")

SIGNS = {
    "size": r"tiny|little|medium|large|big|small(?! (?:pointed|bill|beak))",
    "bill": "bill|beak",
    "tail": "tail",
    "crest": "crest",
    "eyering": "eyering",
    "wingbars": "wingbars?",
    "legs": "legs",
    "perch": "branch|ground|grass|rock|stump",
    "direction": "left|right",
    "backdrop": "background|leaves",
}

_ARTICLE = re.compile(r"\ba (?=[aeo])")


def caption(attributes: dict[str, str], rng: np.random.Generator) -> str:
    """Writes one caption; it may be of any length."""
    colours = {attributes[part] for part in PARTS}
    if len(colours) < len(PARTS) and rng.random() < 0.5:
        text, joiners = _merged(attributes, rng)
    else:
        text, joiners = _named(attributes, rng)
    things = _things(attributes, rng)
    number = min(int(rng.choice(3, p=(0.35, 0.5, 0.15))), len(things))
    if number:
        text += pick(rng, joiners) + " and ".join(things[:number])
    if variety(attributes) == "full":
        text += _scene(attributes, rng)
    elif rng.random() < 0.15:
        text += " " + pick(rng, _PERCHES[attributes["perch"]])
    return _ARTICLE.sub("an ", text)


def _scene(attributes: dict[str, str], rng: np.random.Generator) -> str:
    """Where the bird is and which way it faces: " perched on a branch and facing left"."""
    clauses = [
        pick(rng, table[attributes[key]]) for table, key, often in _SCENE if rng.random() < often
    ]
    if not clauses:
        return ""
    first, rest = clauses[0], clauses[1:]
    return pick(rng, (" ", ", ")) + first + "".join(pick(rng, (" ", ", ")) + c for c in rest)


def _named(attributes: dict[str, str], rng: np.random.Generator) -> tuple[str, tuple[str, ...]]:
    """A sentence that names each part and its colour, and words that may join a clause to it."""
    size = _size(attributes, rng)
    words = {"size": size, "bird": size + "bird"}
    phrases = []
    for place, part in enumerate(rng.permutation(PARTS)):
        colour = attributes[part]
        noun = pick(rng, _NOUNS[part])
        phrases.append(_phrase(colour, noun))
        words |= {
            f"b{place}": noun if noun in _PLURAL else f"a {noun}",
            f"c{place}": colour,
            f"n{place}": noun,
            f"is{place}": "are" if noun in _PLURAL else "is",
            f"on{place}": pick(rng, _PLACES[part]),
            f"x{place}": f"{colour} {pick(rng, _COMPOUNDS[part])}",
        }
    index = int(rng.integers(len(_LISTS) + len(_SENTENCES)))
    joiners = _AND_OR_WITH if index < len(_LISTS) else _WITH
    return (_LISTS + _SENTENCES)[index].format(*phrases, **words), joiners


def _merged(attributes: dict[str, str], rng: np.random.Generator) -> tuple[str, tuple[str, ...]]:
    """As `_named`, but the colour that parts share is stated once, for the whole bird."""
    colours = [attributes[part] for part in PARTS]
    shared = max(colours, key=colours.count)
    size = _size(attributes, rng)
    for part in PARTS:
        if attributes[part] != shared:
            odd = _phrase(attributes[part], pick(rng, _NOUNS[part]))
            return pick(rng, _TWO_SAME).format(c=shared, size=size, odd=odd), _AND_OR_WITH
    return pick(rng, _ALL_SAME).format(c=shared, size=size), _WITH


def _phrase(colour: str, noun: str) -> str:
    return f"{colour} {noun}" if noun in _PLURAL else f"a {colour} {noun}"


def _size(attributes: dict[str, str], rng: np.random.Generator) -> str:
    return pick(rng, _SIZES[attributes["size"]]) if rng.random() < 0.6 else ""


def _things(attributes: dict[str, str], rng: np.random.Generator) -> list[str]:
    """The bird's other features, as noun phrases in random order."""
    things = [f"a {pick(rng, _BILLS[attributes['bill']])} {pick(rng, ('bill', 'bill', 'beak'))}"]
    for table, key in _THINGS[variety(attributes)]:
        if table[attributes[key]]:
            things.append(pick(rng, table[attributes[key]]))
    return [things[position] for position in rng.permutation(len(things))]
