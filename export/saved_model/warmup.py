"""Requests that a server answers before it takes the first real one.

TensorFlow Serving replays `assets.extra/tf_serving_warmup_requests` while it loads a version, so
that no client waits for the kernels, plans and memory that TensorFlow makes at first use.
"""

from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from t2i_tf.models.model_directory import ModelDirectory

FILE = "tf_serving_warmup_requests"
BATCH = 8


def write(path: str | Path, model: ModelDirectory, name: str) -> None:
    """Writes a request of one text for every signature, and of a batch for those that draw.

    Args:
        path: The file, TFRecords of `PredictionLog`.
        model: The model, for its words; the text has as many as a caption may have.
        name: The model's name on the server.
    """
    vocabulary = model.vocabulary
    words = [word for word in vocabulary.words[1:] if vocabulary.tokenize(word) == [word]]
    text = " ".join(words[: model.config.data.max_words])
    with tf.io.TFRecordWriter(str(path)) as writer:
        for batch in (1, BATCH):
            texts = tf.constant([text] * batch)
            seeds = tf.range(batch, dtype=tf.int64)
            noise = tf.zeros([batch, model.generator.noise_dim])
            requests = {
                "serving_default": {"text": texts},
                "generate": {"text": texts, "seed": seeds},
                "generate_from_noise": {"text": texts, "noise": noise},
            }
            if batch == 1:
                requests["explain"] = {"text": texts, "seed": seeds}
                requests["encode_text"] = {"text": texts}
            for signature, inputs in requests.items():
                writer.write(_log(name, signature, inputs).SerializeToString())


def _log(name, signature, inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )
