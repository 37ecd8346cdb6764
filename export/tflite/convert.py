"""Conversion to TFLite, to be run in a process of its own: the converter may crash."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from export.tflite.network import PhoneNetwork

VARIANTS = ("float32", "float16", "dynamic", "int8")
SIGNATURE = "generate_from_noise"


def convert(
    model_dir: str | Path, variants: Sequence[str], folder: Path, samples: Sequence[np.ndarray]
) -> None:
    """Writes `<folder>/<variant>.tflite` for each variant.

    Args:
        model_dir: A model directory with a generator.
        variants: Of `VARIANTS`.
        folder: Where to.
        samples: Token ids `[N, T]` and noise `[N, Z]` that show int8 the range of its activations.

    Raises:
        RuntimeError: A file holds an op that plain TFLite does not have.
    """
    for int8 in sorted({variant == "int8" for variant in variants}):
        network = PhoneNetwork(model_dir, int8)
        with tempfile.TemporaryDirectory(dir=folder) as saved_model:
            archive = keras.export.ExportArchive()
            archive.add_endpoint(SIGNATURE, network.generate_from_noise, network.input_signature)
            archive.write_out(saved_model, verbose=False)
            for variant in variants:
                if (variant == "int8") == int8:
                    content = _converter(saved_model, variant, samples).convert()
                    check_ops(content, variant)
                    (folder / f"{variant}.tflite").write_bytes(content)


def _converter(saved_model, variant, samples):
    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model, signature_keys=[SIGNATURE])
    if variant != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if variant == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if variant == "int8":
        converter.representative_dataset = lambda: (
            {"tokens": tokens[None], "noise": noise[None]}
            for tokens, noise in zip(*samples, strict=True)
        )
        ops = tf.lite.OpsSet
        converter.target_spec.supported_ops = [ops.TFLITE_BUILTINS_INT8, ops.TFLITE_BUILTINS]
        converter.inference_output_type = tf.uint8
    return converter


def check_ops(content: bytes, name: str) -> None:
    """Raises a RuntimeError if a TFLite file asks for ops beyond the built-in ones."""
    codes = flatbuffer_utils.read_model_from_bytearray(content).operatorCodes
    custom = [code.customCode.decode() for code in codes if code.builtinCode == _CUSTOM]
    if custom:
        raise RuntimeError(f"{name} needs ops that plain TFLite lacks: {', '.join(custom)}")


_CUSTOM = schema.BuiltinOperator.CUSTOM
