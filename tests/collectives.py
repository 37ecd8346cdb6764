"""Prints the collective operations of every preset's traced training step: test_collectives.py.

Each preset's tiny form is traced for two mirrored devices, in bfloat16, where most types meet.
Beside the graph's own operations stand the types of all values given to `all_reduce`, which a
machine's GPUs must know how to add up.
"""

import collections
import importlib
import json
import pathlib
import sys

import tensorflow as tf

from t2i_tf.networks import build
from t2i_tf.training.build import build_attngan, build_damsm
from t2i_tf.training.trial import random_batch

ROWS = 8


def traced(config, strategy):
    """The numbers of collective operations in the graph, and of values by type."""
    config.train.batch_size = ROWS
    with strategy.scope():
        if "generator" in config:
            encoders = build.text_encoder(config, 20), build.image_encoder(config, False)
            model = build_attngan(config, encoders)
        else:
            model = build_damsm(config, 20)
    rows = random_batch(config, 20)
    data = strategy.distribute_datasets_from_function(
        lambda _: tf.data.Dataset.from_tensor_slices(rows).batch(ROWS // 2, drop_remainder=True)
    )
    reduced, all_reduce = collections.Counter(), tf.distribute.ReplicaContext.all_reduce

    def counted(self, op, value, *args, **kwargs):
        reduced.update(t.dtype.name for t in tf.nest.flatten(value))
        return all_reduce(self, op, value, *args, **kwargs)

    tf.distribute.ReplicaContext.all_reduce = counted
    step = tf.function(lambda batch: strategy.run(model.train_step, (batch,)), autograph=False)
    graph = step.get_concrete_function(next(iter(data))).graph
    tf.distribute.ReplicaContext.all_reduce = all_reduce
    operations = sum("Collective" in op.type for op in graph.get_operations())
    return {"operations": operations, "reduced": dict(reduced)}


def main(names):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    folder = pathlib.Path(__file__).parents[1] / "configs"
    for name in names or sorted(file.stem for file in folder.glob("c*_*.py")):
        config = importlib.import_module(f"configs.{name}").get_config("tiny").unlock()
        config.train.precision = "mixed_bfloat16"
        print(json.dumps({"preset": name, **traced(config, strategy)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
