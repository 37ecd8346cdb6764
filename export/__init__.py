"""From a model directory to what is shipped; wraps t2i_tf."""
