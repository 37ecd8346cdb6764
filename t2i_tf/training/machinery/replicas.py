"""Several devices: the strategy that trains, and the communication between its replicas.

Inside a step, the functions here know the step's replica; with a single replica they cost nothing.
Replicas hold consecutive rows of the global batch, in order.
"""

import os
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from data_pipeline.support.errors import UserError

STRATEGIES = ("auto", "one", "mirrored", "multiworker", "tpu")


def strategy(name: str = "auto", cpu_devices: int = 1) -> tf.distribute.Strategy:
    """The `tf.distribute.Strategy` of a name; call it before anything else uses TensorFlow.

    Args:
        name: `"one"` device; `"mirrored"` over all GPUs of this machine (or its logical CPU
            devices where it has none); `"multiworker"`, over the machines of `TF_CONFIG`;
            `"tpu"`; or `"auto"`, the first that applies of multiworker, tpu, mirrored and one.
        cpu_devices: Number of logical devices that the CPU is split into, to try a strategy without
            GPUs.

    Raises:
        UserError: The strategy is not available on this machine.
    """
    if cpu_devices > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        logical = [tf.config.LogicalDeviceConfiguration()] * cpu_devices
        tf.config.set_logical_device_configuration(cpu, logical)
    if name == "auto":
        name = "mirrored" if max(len(gpus()), cpu_devices) > 1 else "one"
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
            options = tf.distribute.experimental.CommunicationOptions()
            if gpus():  # By default TensorFlow would go through the CPUs.
                options = tf.distribute.experimental.CommunicationOptions(
                    implementation=tf.distribute.experimental.CommunicationImplementation.NCCL
                )
            return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise UserError(f"no strategy {name!r}: {str(error).splitlines()[0]}") from error


def gpus() -> list:
    """This machine's GPUs."""
    return tf.config.list_physical_devices("GPU")


def description() -> str:
    """The devices that train, in words."""
    kinds = [tf.config.experimental.get_device_details(g).get("device_name", "GPU") for g in gpus()]
    devices = ", ".join(kinds) or "CPU"
    replicas = f"{count()} replica{'s' * (count() > 1)}"
    workers = f" in {worker()[1]} workers" if worker()[1] > 1 else ""
    return f"{devices}: {replicas}{workers}"


def worker() -> tuple[int, int]:
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


def is_first_worker() -> bool:
    """Whether this process is the first worker, which writes the run's files."""
    return worker()[0] == 0


def any_worker(value: bool) -> bool:
    """Whether `value` is true on any worker; all workers must call this after the same step."""
    if worker()[1] == 1:
        return value
    return bool(_sum_over_replicas(tf.constant(float(value))))


def first_workers(number: int) -> int:
    """The number that the first worker passes, an integer below 2^24.

    All workers must call this after the same step, each with a number of its own.
    """
    process, processes = worker()
    if processes == 1:
        return number
    own = number if process == 0 else 0
    return int(_sum_over_replicas(tf.constant(float(own)))) * processes // count()


@tf.function
def _sum_over_replicas(number):
    def add(number):
        context = tf.distribute.get_replica_context()
        # all_reduce wants the number on the replica's own device: identity copies it there.
        return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(number))

    strategy = tf.distribute.get_strategy()
    return strategy.experimental_local_results(strategy.run(add, (number,)))[0]


def count() -> int:
    """How many replicas train together."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def position() -> int | tf.Tensor:
    """The place of the step's replica among all, from 0."""
    context = tf.distribute.get_replica_context()
    return context.replica_id_in_sync_group if context else 0


def gather(rows: tf.Tensor) -> tf.Tensor:
    """The rows of all replicas, in order; gradients flow back to the replica they came from.

    Args:
        rows: `[b, ...]`, of the same shape on every replica.

    Returns:
        `[B, ...]`.
    """
    replicas, own = count(), rows.shape[0]
    if replicas == 1:
        return rows
    # GPUs of several machines cannot sum integers, and bfloat16 would lose digits. Class numbers
    # and booleans are integers below 2^24, which float32 holds exactly.
    values = tf.cast(rows, tf.float32) if rows.dtype != tf.float64 else rows
    # Each replica's rows are zero elsewhere, so their sum is a gather; its gradient is a sum again.
    place = tf.one_hot(position(), replicas, dtype=values.dtype)
    values = tf.reshape(place, [replicas, *[1] * len(rows.shape)]) * values
    values = tf.reshape(values, [replicas * own, *rows.shape[1:]])
    context = tf.distribute.get_replica_context()
    return tf.cast(context.all_reduce(tf.distribute.ReduceOp.SUM, values), rows.dtype)


def own_rows(rows: tf.Tensor) -> tf.Tensor:
    """This replica's part `[b, ...]` of the global batch's rows, `[B, ...]`."""
    own = rows.shape[0] // count()
    begin = tf.stack([position() * own, *[0] * (len(rows.shape) - 1)])
    return tf.slice(rows, begin, [own, *rows.shape[1:]])


def next_rows(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The follower of each row in the global batch; the last row has none.

    Args:
        rows: `[b, ...]` of this replica.

    Returns:
        The followers `[n, ...]` of this replica's first n rows, where n is b, or b - 1 on the last
        replica; and their weights `[n]`, with which the mean of the replicas' weighted sums is the
        mean over all followers. If the replica's place is not known while the step is traced (TPU),
        each replica uses its own rows only.
    """
    own, replicas = rows.shape[0], count()
    place = tf.get_static_value(position())
    if replicas == 1 or place is None:
        followers, followed = rows[1:], own - 1
    else:
        first = place * own + 1
        followers, followed = gather(rows)[first : first + own], own - 1 / replicas
    return followers, tf.fill([followers.shape[0]], tf.cast(1 / followed, keras.config.floatx()))


def random_rows(
    draw: Callable[..., tf.Tensor], index: tf.Tensor, width: int, seed: int, *purpose: int
) -> tf.Tensor:
    """Random numbers for this replica's examples.

    They depend only on the seed, the purpose and the examples: they are this replica's rows of the
    numbers that a single replica would draw for the global batch.

    Args:
        draw: `tf.random.stateless_normal` or `tf.random.stateless_uniform`.
        index: Global indices `[b]` of this replica's examples, int64.
        width: Numbers per example.
        seed: The run's seed.
        *purpose: What the numbers are for; each purpose has its own numbers.

    Returns:
        `[b, width]`.
    """
    rows = index.shape[0]
    first = index[0] - tf.cast(position() * rows, index.dtype)
    seeds = tf.stack([tf.cast(seed, first.dtype), first])
    for number in purpose:
        seeds = tf.random.fold_in(seeds, number, alg="philox")
    return own_rows(draw([rows * count(), width], seeds, alg="philox"))


def mean(gradients: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """The mean of each gradient over the replicas, dense."""
    gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
    if count() == 1:
        return gradients
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)


def minimize(
    optimizer: keras.optimizers.Optimizer,
    tape: tf.GradientTape,
    loss: tf.Tensor,
    variables: Sequence[keras.Variable],
) -> tf.Tensor:
    """One step of the optimizer down the mean of the replicas' losses.

    Args:
        optimizer: A `FusedAdam`, or a loss-scaling optimizer around it, which scales and unscales.
        tape: The tape that recorded the loss.
        loss: A scalar, this replica's.
        variables: What to change.

    Returns:
        The norm of the mean loss's gradient; 0 if a loss-scaling optimizer skips the step because
        the norm is not finite.
    """
    scale = optimizer.scale_loss(tf.ones_like(loss))
    gradients = mean(tape.gradient(loss, variables, output_gradients=scale))
    optimizer.apply(gradients, variables)
    norm = tf.linalg.global_norm(gradients) / scale
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        norm = tf.where(tf.math.is_finite(norm), norm, 0.0)
    return norm
