"""Tiny forms: `--config=NAME:tiny` is a preset's structure at a laptop's size."""


def sized(config, size):
    """Locks a preset, at `"full"` size or in its `"tiny"` form.

    The tiny form keeps every choice of the preset and shrinks the numbers: images of a quarter of
    the side, narrow networks, the small image encoder, a batch of four and two epochs of one step.
    """
    if size not in ("full", "tiny"):
        raise ValueError(f"a preset's size is full or tiny, got {size!r}")
    if size == "tiny":
        config.name += "_tiny"
        config.data.image_size //= 4
        config.text_encoder.update(embedding_dim=16, units=32)
        config.image_encoder = dict(kind="small", input_size=64, filters=4)
        del config.train["epochs"]
        config.train.update(batch_size=4, steps=2, steps_per_checkpoint=1)
        if "generator" in config:
            config.generator.update(filters=4, noise_dim=8, condition_dim=8)
            config.generator.base_size //= 4
            config.discriminator.filters = 4
            config.train.update(decay_start=2, checkpoints_per_sample=1)
        else:
            config.train.update(decay_steps=1, adam_restart_steps=1)
    return config.lock()
