import tensorflow as tf

from t2i_tf.training.machinery import memory


def test_calls_give_their_results_in_order():
    assert list(memory.in_turn([lambda: tf.constant(1), lambda: {"a": tf.constant(2)}])) == [
        1,
        {"a": 2},
    ]
    assert list(memory.in_turn([])) == []


def test_in_a_graph_a_call_begins_only_once_the_one_before_is_done():
    def ops_before(op):
        seen, todo = set(), [op]
        while todo:
            op = todo.pop()
            if op not in seen:
                seen.add(op)
                todo += [*op.control_inputs, *(tensor.op for tensor in op.inputs)]
        return seen

    with tf.Graph().as_default():
        start = tf.constant(1.0)
        calls = [lambda i=i: (tf.add(start, i, name=f"call_{i}"), {}) for i in range(3)]
        results = [result for result, _ in memory.in_turn(calls)]
        for earlier, later in zip(results, results[1:], strict=False):
            assert earlier.op in ops_before(later.op)
            assert later.op not in ops_before(earlier.op)


def test_freed_memory_is_kept_by_glibc_alone(monkeypatch):
    calls = []

    class Library:
        def mallopt(self, setting, value):
            calls.append((setting, value))

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: Library())
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("musl", "1.2"))
    memory.keep_freed_memory()
    assert calls == []
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("glibc", "2.36"))
    memory.keep_freed_memory()
    assert dict(calls) == {
        memory.M_ARENA_MAX: 1,
        memory.M_MMAP_MAX: 0,
        memory.M_TRIM_THRESHOLD: -1,
    }
