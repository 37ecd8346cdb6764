"""Several devices: which strategy trains, and what its replicas tell each other.

Inside a step the functions here know the step's replica; where there is one replica only they cost
nothing. Replicas hold consecutive rows of the global batch, in order.
"""

import os

import keras
import tensorflow as tf

from data_pipeline.errors import UserError

STRATEGIES = ("auto", "one", "mirrored", "multiworker", "tpu")


def strategy(name="auto", cpu_devices=1):
    """The `tf.distribute.Strategy` of a name; call it before anything else uses TensorFlow.

    Args:
        name: `"one"` device; `"mirrored"` over all GPUs of this machine (or its logical CPU
            devices where it has none); `"multiworker"`, over the machines of `TF_CONFIG`;
            `"tpu"`; or `"auto"`, the first that applies of multiworker, tpu, mirrored and one.
        cpu_devices: How many logical devices the CPU is split into, to try a strategy without
            GPUs.

    Raises:
        UserError: The strategy cannot be had on this machine.
    """
    if cpu_devices > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        logical = [tf.config.LogicalDeviceConfiguration()] * cpu_devices
        tf.config.set_logical_device_configuration(cpu, logical)
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if name == "auto":
        name = "one" if max(len(gpus), cpu_devices) == 1 else "mirrored"
        if "TF_CONFIG" in os.environ:
            name = "multiworker"
        elif tf.config.list_physical_devices("TPU") or "TPU_NAME" in os.environ:
            name = "tpu"
    if name == "one":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    try:
        if name == "multiworker":
            return tf.distribute.MultiWorkerMirroredStrategy()
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise UserError(f"--strategy={name}: {str(error).splitlines()[0]}") from error


def worker():
    """(number of this process, number of processes) of the strategy in scope."""
    resolver = tf.distribute.get_strategy().cluster_resolver
    if resolver is None or not resolver.cluster_spec().jobs or resolver.task_type is None:
        return 0, 1
    spec = resolver.cluster_spec()
    before = 0
    for job in ("chief", "worker"):
        if job == resolver.task_type:
            return before + resolver.task_id, sum(
                spec.num_tasks(name) for name in spec.jobs if name in ("chief", "worker")
            )
        before += spec.num_tasks(job) if job in spec.jobs else 0
    return 0, 1


def is_first_worker():
    """Whether this process writes what a run leaves behind."""
    return worker()[0] == 0


def any_worker(truth):
    """Whether something is true on any worker; all must ask after the same step.

    Args:
        truth: What is true here.
    """
    if worker()[1] == 1:
        return truth
    return bool(_sum(tf.constant(float(truth))))


def of_first_worker(number):
    """The first worker's number, an integer below 2^24; all must ask after the same step."""
    process, processes = worker()
    if processes == 1:
        return number
    own = number if process == 0 else 0
    return int(_sum(tf.constant(float(own)))) * processes // count()


@tf.function
def _sum(number):
    def of_replica(number):
        context = tf.distribute.get_replica_context()
        # Its copy is on the replica's device, as the sum must be.
        return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(number))

    strategy = tf.distribute.get_strategy()
    return strategy.experimental_local_results(strategy.run(of_replica, (number,)))[0]


def count():
    """How many replicas train together."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def position():
    """The place of the step's replica among all, from 0."""
    context = tf.distribute.get_replica_context()
    return context.replica_id_in_sync_group if context else 0


def gather(rows):
    """The rows of all replicas, in order; gradients flow back to the replica they came from.

    Args:
        rows: `[b, ...]`, of the same shape on every replica.

    Returns:
        `[B, ...]`.
    """
    replicas, own = count(), rows.shape[0]
    if replicas == 1:
        return rows
    values = tf.cast(rows, tf.int32) if rows.dtype == tf.bool else rows
    before = position() * own
    others = [[0, 0]] * (len(rows.shape) - 1)
    # A sum of padded rows is a gather, and its gradient is a sum in turn.
    values = tf.pad(values, [[before, (replicas - 1) * own - before], *others])
    values = tf.ensure_shape(values, [replicas * own, *rows.shape[1:]])
    context = tf.distribute.get_replica_context()
    return tf.cast(context.all_reduce(tf.distribute.ReduceOp.SUM, values), rows.dtype)


def own_rows(everyones):
    """This replica's part `[b, ...]` of the rows of all, `[B, ...]`."""
    own = everyones.shape[0] // count()
    return everyones[position() * own : (position() + 1) * own]


def next_rows(rows):
    """Each row's follower in the global batch, as far as there is one.

    Args:
        rows: `[b, ...]` of this replica.

    Returns:
        The followers `[n, ...]` of this replica's first n rows, where n is b, or b - 1 on the
        last replica, and the mean of n over the replicas. Where the replica's place is not known
        while the step is traced (TPU), replicas keep to their own rows.
    """
    own, replicas = rows.shape[0], count()
    place = tf.get_static_value(position())
    if replicas == 1 or place is None:
        return rows[1:], own - 1
    first = place * own + 1
    return gather(rows)[first : first + own], own - 1 / replicas


def mean(gradients):
    """The mean of each gradient over the replicas, dense."""
    gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
    if count() == 1:
        return gradients
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)


def minimize(optimizer, tape, loss, variables):
    """One step of the optimizer down the mean of the replicas' losses.

    Args:
        optimizer: A `FusedAdam`, or a loss-scaling optimizer around it, which scales and unscales.
        tape: The tape that recorded the loss.
        loss: A scalar, this replica's.
        variables: What to change.

    Returns:
        The norm of that mean's gradient; 0 where a loss-scaling optimizer skips the step, because
        it is not finite.
    """
    scale = optimizer.scale_loss(tf.ones_like(loss))
    gradients = mean(tape.gradient(loss, variables, output_gradients=scale))
    optimizer.apply(gradients, variables)
    norm = tf.linalg.global_norm(gradients) / scale
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        norm = tf.where(tf.math.is_finite(norm), norm, 0.0)
    return norm
