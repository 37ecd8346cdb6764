"""From raw pictures and captions to TFRecord shards and batches; imports nothing of `t2i_tf`."""
