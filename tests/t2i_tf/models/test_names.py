import pytest

from t2i_tf.models.names import picture_name


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("A small RED bird!", "a-small-red-bird"),
        ("маленькая птица", "маленькая-птица"),
        ("word " * 20, "-".join(["word"] * 12)),
        ("слово " * 20, "-".join(["слово"] * 5)),
        ("w" * 100, "w" * 60),
        ("鸟" * 100, "-".join("鸟" * 15)),
        ("ж" * 100, "ж" * 30),
        ("\U00010428" * 100, "\U00010428" * 15),
    ],
)
def test_names_are_the_words_up_to_sixty_bytes(text, slug):
    assert picture_name(7, text, 3) == f"007_{slug}_seed3"
