"""TensorFlow Serving's interface in Python, for laptops and tests."""
