"""Exports a model directory for phones: a LiteRT (TFLite) file for each way to store its numbers.

    python -m export.tflite --model_dir=<model> --output_dir=phone

writes phone/text_to_image_<variant>.tflite of one signature, `generate_from_noise`:

    tokens  int32 [1, T]      ids of the caption's words, 0 after the last; T is the most it reads
    noise   float32 [1, Z]    standard normal
    image   uint8 [1, H, W, 3]

    float32    the weights as they are
    float16    weights of 16 bits; computes in float32
    dynamic    weights of 8 bits; activations are rounded to 8 bits as they come
    int8       weights and activations of 8 bits, whose range sample captions have shown

No op beyond the built-in ones is needed. A zip archive within each file holds vocabulary.txt and
the model's config.json and README.md; TFLite's metadata describes all of it. Each file's pictures
are compared with Keras' when it is written: phone/text_to_image.md, and .json for programs.
"""

from export.tflite.convert import VARIANTS
from export.tflite.writer import export

__all__ = ["VARIANTS", "export"]
