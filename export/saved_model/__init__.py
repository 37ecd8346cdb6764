"""Exports a model directory as a SavedModel: text in, pictures out, in core TensorFlow ops.

    python -m export.saved_model --model_dir=<model> --output_dir=served/birds

writes served/birds/1 (the next time 2, ...), which TensorFlow Serving and `tf.saved_model.load`
read without this package (a model of wordpieces after `import tensorflow_text`). B and the
captions' length are free; T is the batch's longest caption.

    signature            inputs                          outputs
    serving_default      text [B]                        image_bytes [B], PNG
    generate             text [B], seed int64 [B]        image uint8 [B, H, W, 3]
    generate_from_noise  text [B], noise float32 [B, Z]  image; image_float in [-1, 1]
    explain              text [B], seed int64 [B]        image_0, image_1, ... uint8, each stage's;
                                                         attention_1, ... float32 [B, h, w, T];
                                                         tokens string [B, T], padded with ""
    encode_text          text [B]                        words [B, T, E]; sentence [B, E];
                                                         mask bool [B, T]

A picture is a pure function of (text, seed) or of (text, noise). `serving_default` takes as seed
`tf.strings.to_hash_bucket_fast(text, 2**62)`, so that a text always gives the same picture, and
`generate` with that seed gives it too. Unknown words are left out, and words beyond the model's
`max_words`; a text without a known word fails the request with InvalidArgument, naming its row.

`--precision=bfloat16` halves the generator's weights and is for machines that compute in bfloat16:
CPUs with AMX or AVX512-BF16, which take about half of float32's time, and GPUs (not measured).
Other CPUs take longer than in float32. Signatures stay the same, and pictures differ by rounding,
about 50 dB. The text encoder computes in float32 in both.
"""

from export.saved_model.writer import PRECISIONS, export

__all__ = ["PRECISIONS", "export"]
