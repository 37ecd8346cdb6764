"""Captions of faces, true by construction: each fact that a caption tells is an attribute's value.

captions_of({"Male": True, "Young": True, "Eyeglasses": False, ...}, rng, 10)
-> ["a young man with black hair who does not wear glasses", ...]
"""

from collections.abc import Mapping, Sequence

import numpy as np

_NAMES = """
5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose
Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee
Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard
Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair
Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie
Young
"""
ATTRIBUTES = tuple(_NAMES.split())  # In CelebA's order.
_COLOURS = {
    "Black_Hair": "black",
    "Blond_Hair": "blond",
    "Brown_Hair": "brown",
    "Gray_Hair": "gray",
}
# By verb: attribute, what it is with its article, and without; the second is empty where nobody
# would say that it is not there.
_HAS = {
    "5_o_Clock_Shadow": ("a five o'clock shadow", ""),
    "Arched_Eyebrows": ("arched eyebrows", ""),
    "Bags_Under_Eyes": ("bags under the eyes", ""),
    "Bangs": ("bangs", "bangs"),
    "Big_Lips": ("big lips", ""),
    "Big_Nose": ("a big nose", ""),
    "Bushy_Eyebrows": ("bushy eyebrows", ""),
    "Double_Chin": ("a double chin", "double chin"),
    "Goatee": ("a goatee", "goatee"),
    "High_Cheekbones": ("high cheekbones", ""),
    "Mustache": ("a mustache", "mustache"),
    "Narrow_Eyes": ("narrow eyes", ""),
    "Oval_Face": ("an oval face", ""),
    "Pale_Skin": ("pale skin", ""),
    "Pointy_Nose": ("a pointy nose", ""),
    "Receding_Hairline": ("a receding hairline", "receding hairline"),
    "Rosy_Cheeks": ("rosy cheeks", ""),
    "Sideburns": ("sideburns", "sideburns"),
}
_WEARS = {
    "Eyeglasses": ("glasses", "glasses"),
    "Heavy_Makeup": ("heavy makeup", "heavy makeup"),
    "Wearing_Earrings": ("earrings", "earrings"),
    "Wearing_Hat": ("a hat", "hat"),
    "Wearing_Lipstick": ("lipstick", "lipstick"),
    "Wearing_Necklace": ("a necklace", "necklace"),
    "Wearing_Necktie": ("a necktie", "necktie"),
}
_IS = {"Smiling": "smiling", "Chubby": "chubby", "Attractive": "attractive", "Bald": "bald"}
# Not worth saying that a woman has none of the first, or a man none of the second.
_OF_MEN = {"5_o_Clock_Shadow", "Goatee", "Mustache", "Sideburns", "Wearing_Necktie", "Bald"}
_OF_MEN |= {"Receding_Hairline", "Beard"}
_OF_WOMEN = {"Heavy_Makeup", "Wearing_Earrings", "Wearing_Lipstick", "Wearing_Necklace"}
_TRIES = 20  # For each caption, to be unlike the others.

# A fact: verb, whether it is true, what with its article, what without.
Fact = tuple[str, bool, str, str]


def captions_of(attributes: Mapping[str, bool], rng: np.random.Generator, count: int) -> list[str]:
    """Different captions of a face.

    Args:
        attributes: Truth by name, for all of `ATTRIBUTES`.
        rng: Decides what they tell, and how.
        count: How many.

    Returns:
        The captions, lower-case, without full stops at their ends; some may be alike if there is
        not enough to tell.
    """
    facts = facts_of(attributes)
    captions: list[str] = []
    for _ in range(count):
        caption = _caption(attributes, facts, rng)
        for _ in range(_TRIES):
            if caption not in captions:
                break
            caption = _caption(attributes, facts, rng)
        captions.append(caption)
    return captions


def facts_of(attributes: Mapping[str, bool]) -> list[Fact]:
    """What may be told of a face: what it has, wears and is, and what it does not."""
    truth = {**attributes, "Beard": not attributes["No_Beard"]}
    unlikely = _OF_WOMEN if truth["Male"] else _OF_MEN
    facts = _hair(truth)
    for verb, table in (("have", {**_HAS, "Beard": ("a beard", "beard")}), ("wear", _WEARS)):
        for name, (what, bare) in table.items():
            if truth[name] or (bare and name not in unlikely):
                facts.append((verb, truth[name], what, bare))
    for name, what in _IS.items():
        if truth[name] or (name not in unlikely and name != "Attractive"):
            facts.append(("be", truth[name], what, what))
    if truth["Mouth_Slightly_Open"]:
        facts.append(("mouth", True, "slightly open", ""))
    return facts


def _hair(truth):
    colours = [colour for name, colour in _COLOURS.items() if truth[name]]
    style = {(True, False): "straight ", (False, True): "wavy "}
    style = style.get((truth["Straight_Hair"], truth["Wavy_Hair"]), "")
    if truth["Bald"] or not (colours or style):
        return []
    hair = f"{style}{_and(colours)} hair".replace("  ", " ")
    return [("have", True, hair, "")]


def _caption(attributes, facts, rng):
    told = _choose(facts, rng)
    subject, pronoun, own = _subject(attributes, rng)
    open_mouth = [fact for fact in told if fact[0] == "mouth"]
    told = [fact for fact in told if fact[0] != "mouth"]
    form = rng.integers(3)
    positive = [what for verb, true, what, _ in told if verb == "have" and true]
    if form == 0 and positive:  # a man with black hair who ...
        rest = [fact for fact in told if not (fact[0] == "have" and fact[1])]
        text = f"{subject} with {_and(positive)}"
        predicates = _predicates(rest, rng)
        text += f" who {_and(predicates)}" if predicates else ""
    elif form == 1 and len(told) > 1:  # the man has black hair. he ...
        first, second = _predicates(told[:1], rng), _predicates(told[1:], rng)
        text = f"{_definite(subject, rng)} {_and(first)}. {pronoun} {_and(second)}"
    elif told:
        text = f"{_definite(subject, rng)} {_and(_predicates(told, rng))}"
    else:
        text = f"a picture of {subject}"
    if open_mouth:
        text += f", {own} mouth slightly open"
    if attributes["Blurry"] and rng.random() < 0.25:
        text += ", in a blurry picture"
    return text


def _choose(facts, rng):
    """Some facts in their order: up to three that are so, and sometimes one or two that are not."""
    true, false = (
        [i for i, fact in enumerate(facts) if fact[1] == is_so] for is_so in (True, False)
    )
    count = rng.choice(3, p=(0.5, 0.35, 0.15)) if true else 2
    chosen = [
        *rng.permutation(true)[: rng.integers(1, 4)],
        *rng.permutation(false)[:count],
    ]
    if true and facts[0][2].endswith(" hair") and rng.random() < 0.5:
        chosen.append(0)
    return [facts[int(i)] for i in sorted(set(chosen))]


def _subject(attributes, rng):
    """Who it is, the pronoun and the possessive; the age is told twice in three times."""
    noun, pronoun, own = ("man", "he", "his") if attributes["Male"] else ("woman", "she", "her")
    if rng.integers(3) == 0:
        return f"a {noun}", pronoun, own
    return f"a young {noun}" if attributes["Young"] else f"an older {noun}", pronoun, own


def _definite(subject, rng):
    article, rest = subject.split(" ", 1)
    return f"{(article, 'the', 'this')[rng.integers(3)]} {rest}"


def _predicates(facts: Sequence[Fact], rng: np.random.Generator) -> list[str]:
    """Verb phrases that tell the facts, those of a verb together."""
    phrases = []
    for verb, forms in (
        ("have", ("has", "has")),
        ("wear", ("wears", "is wearing")),
        ("be", ("is", "is")),
    ):
        true = [what for own, is_true, what, _ in facts if own == verb and is_true]
        false = [fact[2:] for fact in facts if fact[0] == verb and not fact[1]]
        if true:
            phrases.append(f"{forms[rng.integers(2)]} {_and(true)}")
        if false and verb == "be":
            phrases.append(f"is not {_or([what for what, _ in false])}")
        elif false and rng.integers(2):
            phrases.append(f"{forms[0]} no {_or([bare for _, bare in false])}")
        elif false:
            phrases.append(f"does not {verb} {_or([what for what, _ in false])}")
    return phrases


def _and(parts):
    return _joined(parts, "and")


def _or(parts):
    return _joined(parts, "or")


def _joined(parts, word):
    *first, last = parts or [""]
    return f"{', '.join(first)} {word} {last}" if first else last
