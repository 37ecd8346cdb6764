"""`t2i_tf.train` that also writes down every replica's variables: used by test_distribution.py.

python -m tests.train_probe --variables=FILE.npz <flags of t2i_tf.train>
"""

import runpy
import sys

import numpy as np
import tensorflow as tf

from t2i_tf.training.run import Run

VARIABLES = sys.argv.pop(1).removeprefix("--variables=")
fit = Run.fit


def probed_fit(self, trainer, *args, **kwargs):
    fit(self, trainer, *args, **kwargs)
    strategy, found = tf.distribute.get_strategy(), {}
    for owner in trainer.parts:
        variables = owner.variables() if callable(owner.variables) else owner.variables
        for i, variable in enumerate(variables):
            copies = strategy.experimental_local_results(variable.value)
            found[f"{owner.name}/{i}/{variable.name}"] = np.stack([c.numpy() for c in copies])
    np.savez(VARIABLES, **found)


Run.fit = probed_fit
runpy.run_module("t2i_tf.train", run_name="__main__", alter_sys=True)
