"""The client of TensorFlow Serving and `export.serve`."""
