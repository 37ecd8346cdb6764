"""The requests that TensorFlow Serving replays while it loads a version."""

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from export import saved_model


@pytest.fixture(scope="module")
def exported(model_dir, tmp_path_factory):
    return saved_model.export(model_dir, tmp_path_factory.mktemp("served") / "birds")


@pytest.fixture(scope="module")
def requests(exported):
    path = exported / "assets.extra" / "tf_serving_warmup_requests"
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in records]
    return [log.predict_log.request for log in logs]


def test_every_signature_is_warmed_and_drawing_ones_with_a_batch_too(requests):
    assert {request.model_spec.name for request in requests} == {"birds"}
    asked = [
        (request.model_spec.signature_name, request.inputs["text"].tensor_shape.dim[0].size)
        for request in requests
    ]
    drawing = ["serving_default", "generate", "generate_from_noise"]
    assert asked == [
        *((name, 1) for name in [*drawing, "explain", "encode_text"]),
        *((name, 8) for name in drawing),
    ]


def test_replayed_requests_are_answered(requests, exported, small_config):
    signatures = tf.saved_model.load(str(exported)).signatures
    for request in requests:
        inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
        answer = signatures[request.model_spec.signature_name](
            **{name: tf.constant(value) for name, value in inputs.items()}
        )
        for values in answer.values():
            assert values.shape[0] == len(inputs["text"])
        if "tokens" in answer:
            assert answer["tokens"].shape[1] == small_config.data.max_words
