"""The networks: text encoder, image encoder, generator and discriminators."""
