import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.pixels import to_float, to_uint8


def test_to_uint8_rounds_and_clips():
    values = tf.constant([-2.0, -1.0, -0.999, 0.0, 0.5, 1.0, 2.0])
    np.testing.assert_array_equal(to_uint8(values), [0, 0, 0, 128, 191, 255, 255])


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float64"])
def test_to_float_goes_from_minus_one_to_one(dtype):
    values = to_float(np.array([[0, 51], [204, 255]], dtype))
    assert values.dtype == tf.float32
    np.testing.assert_allclose(values, [[-1.0, -0.6], [0.6, 1.0]], rtol=1e-6)


def test_levels_survive_the_way_there_and_back():
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_uint8(to_float(levels)), levels)
