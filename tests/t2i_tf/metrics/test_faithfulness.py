import json

import numpy as np
import pytest

from data_pipeline.drawn.birds import COLOURS, PARTS
from data_pipeline.drawn.species import ATTRIBUTES
from data_pipeline.support.errors import UserError
from t2i_tf.metrics import faithfulness

PALETTE = np.array(list(COLOURS.values()), np.uint8)


def striped(colours, left, size=32):
    """Three bands a picture in the colours of the parts, with a black edge at one side."""
    bands = np.repeat(PALETTE[colours], [size // 4, size // 2, size // 4], axis=1)
    pictures = np.tile(bands[:, :, None], (1, 1, size, 1))
    edge = size // 8
    pictures[left, :, :edge] = pictures[~left, :, -edge:] = 0
    return pictures


def test_scores_by_hand():
    truth = {part: np.array([0, 1, 2, 3]) for part in PARTS} | {"perch": np.array([0, 1, 2, 3])}
    read = {
        "belly": np.array([0, 1, 2, 3]),
        "wing": np.array([0, 1, 2, 0]),
        "crown": np.array([0, 0, 0, 0]),
        "perch": np.array([0, 0, 2, 0]),
        "bill": np.array([0, 0, 0, 0]),
    }
    told = [{"perch"}, {"perch", "size"}, set(), {"tail"}]
    assert faithfulness.faithfulness(read, truth, told) == {
        "faithfulness": pytest.approx(8 / 12),
        "faithfulness_belly": 1.0,
        "faithfulness_wing": 0.75,
        "faithfulness_crown": 0.25,
        "faithfulness_perch": 0.5,
    }


def test_labels_are_those_of_the_records():
    names = list(COLOURS)
    bird = {"belly": names[3], "wing": names[0], "crown": names[8], "size": "small"}
    other = bird | {"size": "large", "perch": "rock"}
    found = faithfulness.labels(map(json.dumps, [bird, other]))
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "belly": [3, 3],
        "wing": [0, 0],
        "crown": [8, 8],
        "size": [ATTRIBUTES["size"].index("small"), ATTRIBUTES["size"].index("large")],
    }


@pytest.mark.parametrize(
    "text", ["", "{}", "3", '{"belly": "pink", "wing": "red", "crown": "red"}']
)
def test_data_without_true_colours_is_refused(text):
    with pytest.raises(UserError, match="--source=synthetic"):
        faithfulness.labels([text])


def test_the_reader_learns_what_it_is_shown(rng):
    def birds(count):
        truth = {part: rng.integers(0, len(COLOURS), count) for part in PARTS}
        truth["direction"] = rng.integers(0, 2, count)
        return np.stack([truth[part] for part in PARTS], axis=1), truth

    reader = faithfulness.Reader((*PARTS, "direction"), 32)
    colours, truth = birds(512)
    reader.fit(striped(colours, truth["direction"] == 0), truth, epochs=12)
    colours, truth = birds(64)
    unseen = striped(colours, truth["direction"] == 0)
    read = reader(unseen)
    figures = faithfulness.faithfulness(read, truth, [{"direction"}] * 64)
    assert figures["faithfulness"] > 0.8 and figures["faithfulness_direction"] > 0.9
    again, larger = reader(unseen), reader(striped(colours, truth["direction"] == 0, 64))
    for name, rows in read.items():
        assert np.array_equal(rows, again[name])
        assert np.mean(rows == larger[name]) > 0.95
