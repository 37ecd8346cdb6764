import re

import numpy as np
import pytest

from data_pipeline.sources.faces import ATTRIBUTES, captions_of

# What words tell, read without the code that wrote them: attribute by word.
WORDS = {
    "five o'clock shadow": "5_o_Clock_Shadow",
    "arched eyebrows": "Arched_Eyebrows",
    "attractive": "Attractive",
    "bags under": "Bags_Under_Eyes",
    "bald": "Bald",
    "bangs": "Bangs",
    "big lips": "Big_Lips",
    "big nose": "Big_Nose",
    "bushy eyebrows": "Bushy_Eyebrows",
    "chubby": "Chubby",
    "double chin": "Double_Chin",
    "glasses": "Eyeglasses",
    "goatee": "Goatee",
    "makeup": "Heavy_Makeup",
    "cheekbones": "High_Cheekbones",
    "slightly open": "Mouth_Slightly_Open",
    "mustache": "Mustache",
    "narrow eyes": "Narrow_Eyes",
    "oval face": "Oval_Face",
    "pale skin": "Pale_Skin",
    "pointy nose": "Pointy_Nose",
    "receding hairline": "Receding_Hairline",
    "rosy cheeks": "Rosy_Cheeks",
    "sideburns": "Sideburns",
    "smiling": "Smiling",
    "earrings": "Wearing_Earrings",
    "hat": "Wearing_Hat",
    "lipstick": "Wearing_Lipstick",
    "necklace": "Wearing_Necklace",
    "necktie": "Wearing_Necktie",
    "blurry": "Blurry",
}
VERBS = r"\b(?:has|wears|is wearing|is|with|who|does not have|does not wear|he|she|his|her|in)\b"


def faces():
    rng = np.random.default_rng(0)
    for _ in range(300):
        yield {name: bool(rng.random() < 0.3) for name in ATTRIBUTES}
    yield dict.fromkeys(ATTRIBUTES, False)
    yield dict.fromkeys(ATTRIBUTES, True)


def told(caption):
    """The attributes that a caption tells, and their values."""
    found = {}
    for phrase in re.split(rf"(?={VERBS})|[.]", caption):
        denied = re.match(r"(does not|is not|(has|wears) no)\b", phrase) is not None
        for word, name in WORDS.items():
            if re.search(rf"\b{word}\b", phrase):
                assert name not in found, caption
                found[name] = not denied
        if re.search(r"\bbeard\b", phrase):
            found["No_Beard"] = denied
        if hair := re.search(r"((?:straight |wavy )?)((?:\w+|, | and )*) ?hair\b", phrase):
            for colour in ("black", "blond", "brown", "gray"):
                if re.search(rf"\b{colour}\b", hair[0]):
                    found[f"{colour.title()}_Hair"] = not denied
            if style := hair[1].strip():
                found[f"{style.title()}_Hair"] = not denied
    found["Male"] = re.search(r"\bman\b", caption) is not None
    if "young" in caption or "older" in caption:
        found["Young"] = "young" in caption
    return found


def test_every_caption_is_true():
    kinds, denials = set(), 0
    for attributes in faces():
        captions = captions_of(attributes, np.random.default_rng(1), 10)
        assert len(captions) == 10
        for caption in captions:
            facts = told(caption)
            assert {name: attributes[name] for name in facts} == facts, caption
            kinds |= {(name, value) for name, value in facts.items()}
            denials += " no " in caption or " not " in caption
    assert {name for name, _ in kinds} == set(ATTRIBUTES)
    assert {("Eyeglasses", False), ("No_Beard", True), ("Young", False)} <= kinds
    assert 0.2 < denials / 3020 < 0.8


def test_captions_are_varied_and_well_formed():
    captions = [
        caption
        for attributes in faces()
        for caption in captions_of(attributes, np.random.default_rng(2), 10)
    ]
    assert len(set(captions)) > 0.9 * len(captions)
    for caption in captions:
        assert re.fullmatch(
            r"(a picture of )?(a|an|the|this) (young |older )?(wo)?man.*[a-z]", caption
        ), caption
        assert not re.search(r"  | ,|\ba [aeiou]|\ban [^aeiou]|,,|and and|no a\b", caption), caption


@pytest.mark.parametrize("count", [1, 10])
def test_a_face_of_which_nothing_is_known_to_be_so(count):
    attributes = dict.fromkeys(ATTRIBUTES, False)
    assert len(captions_of(attributes, np.random.default_rng(0), count)) == count
