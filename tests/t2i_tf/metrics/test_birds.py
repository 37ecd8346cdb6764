"""The figures of generated birds, by hand."""

import numpy as np

from data_pipeline.drawn.birds import COLOURS
from t2i_tf.metrics import birds


def test_colour_noise_has_the_colours_of_the_caption_only():
    red, blue = list(COLOURS).index("red"), list(COLOURS).index("blue")
    pictures = birds.colour_noise(np.array([[red] * 3, [red, blue, blue]]), 32)
    assert pictures.shape == (2, 32, 32, 3) and pictures.dtype == np.uint8
    np.testing.assert_array_equal(np.unique(pictures[0].reshape(-1, 3), axis=0), [COLOURS["red"]])
    assert pictures[1].std(axis=(0, 1)).max() > 30
    low, high = np.sort([COLOURS["red"], COLOURS["blue"]], axis=0)
    assert np.all((pictures[1] >= low) & (pictures[1] <= high))
