import numpy as np
import pytest


@pytest.fixture
def pair():
    """The drawn `[80, 8]` and real features `[60, 8]` that other packages were given."""
    rng = np.random.default_rng(7)
    real = rng.standard_normal((60, 8)).astype(np.float32)
    drawn = (0.8 * rng.standard_normal((80, 8)) + 0.3).astype(np.float32)
    return drawn, real
