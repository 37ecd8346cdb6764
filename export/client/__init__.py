"""Draws pictures by a server: TensorFlow Serving or `export.serve`.

    python -m export.client --server=localhost:8500 --text="a small red bird" --output_dir=pictures
    python -m export.client --server=http://localhost:8501 --captions_file=... --output_dir=pictures

The pictures are those that `t2i_tf.generate` draws of the same captions and seeds, and are named
alike: the signature `generate` is asked for, one picture a request, so that the server can batch.
While the server is unavailable the client tries again, for --timeout_s seconds a picture.
"""

from export.client.drawing import draw

__all__ = ["draw"]
