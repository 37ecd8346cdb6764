import json

import numpy as np
import pytest

from data_pipeline.drawn.birds import COLOURS, PARTS
from data_pipeline.support.errors import UserError
from t2i_tf.metrics import faithfulness

PALETTE = np.array(list(COLOURS.values()), np.uint8)


def striped(colours, size=32):
    """Three bands a picture in the colours of the parts."""
    return np.repeat(PALETTE[colours], [size // 4, size // 2, size // 4], axis=1)[
        :, :, None
    ] * np.ones((1, 1, size, 1), np.uint8)


def test_scores_by_hand():
    truth = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 0, 0]])
    read = np.array([[0, 1, 2], [3, 1, 1], [6, 7, 1], [0, 0, 1]])
    assert faithfulness.faithfulness(read, truth) == {
        "faithfulness": pytest.approx(8 / 12),
        "faithfulness_belly": 1.0,
        "faithfulness_wing": 0.75,
        "faithfulness_crown": 0.25,
    }


def test_labels_are_those_of_the_records():
    names = list(COLOURS)
    text = json.dumps({"belly": names[3], "wing": names[0], "crown": names[8], "size": "small"})
    assert faithfulness.colour_labels([text, text]).tolist() == [[3, 0, 8]] * 2
    assert PARTS == ("belly", "wing", "crown")


@pytest.mark.parametrize("text", ["", "{}", '{"belly": "pink", "wing": "red", "crown": "red"}'])
def test_data_without_true_colours_is_refused(text):
    with pytest.raises(UserError, match="--source=synthetic"):
        faithfulness.colour_labels([text])


def test_classifier_learns_the_colours_of_places(rng):
    colours = rng.integers(0, len(COLOURS), (512, 3))
    classifier = faithfulness.train_classifier(striped(colours), colours, epochs=12)
    unseen = rng.integers(0, len(COLOURS), (64, 3))
    read = faithfulness.read_colours(classifier, striped(unseen))
    assert faithfulness.faithfulness(read, unseen)["faithfulness"] > 0.8
    assert np.array_equal(read, faithfulness.read_colours(classifier, striped(unseen)))
    larger = faithfulness.read_colours(classifier, striped(unseen, 64))
    assert np.mean(larger == read) > 0.95
