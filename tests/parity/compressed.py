"""Cases of the compressed dual attention; see `tests.parity.networks`."""

from t2i_tf.networks.dual_compressed import (
    CompressedChannelAttention,
    CompressedSpatialAttention,
)
from t2i_tf.networks.stages import CompressedDualAttentionStage
from t2i_tf.published import layouts
from t2i_tf.published import weights as reference_weights
from tests.parity.fixture import all_channels_last, channels_last, load
from tests.parity.networks import generated, generator


def attention_case():
    """Both attentions of an image to itself, and what the stage makes of them and of the words."""
    fixture = load("dual_modules")
    filters, side = fixture.config["input_channels"], fixture.config["input_size"]
    features, words = channels_last(fixture["in/h_code"]), channels_last(fixture["in/words_emb"])
    channel = CompressedChannelAttention(filters, side)
    spatial = CompressedSpatialAttention(filters)
    stage = CompressedDualAttentionStage(filters, side, residual_blocks=0)
    channel.build(features.shape)
    spatial.build(features.shape)
    stage.build(features.shape, words.shape)
    for name, sources in {
        "channel": reference_weights._channel_attention(channel, "x"),
        "spatial": reference_weights._spatial_attention(spatial, "x"),
        "dual": reference_weights._dual_compressed(stage, "x"),
    }.items():
        prefix = "x.dual_attention_module." if name == "dual" else "x."
        state = {prefix + key: array for key, array in fixture.group(f"w/{name}/").items()}
        layouts.assign(name, sources, state)
    joined, _ = stage.attend(features, words, ~fixture["in/mask"])
    actual = {"channel": channel(features), "spatial": spatial(features), "dual": joined}
    return fixture, actual, all_channels_last(fixture.group("out/"))


def generator_case():
    """As published, it returns no attention."""
    fixture = load("dual_generator")
    outputs = generated(generator(fixture, fixture.group("w/")), fixture)
    expected = all_channels_last(fixture.group("out/"))
    names = {key.partition("__")[0] for key in expected}
    return fixture, {name: outputs[name] for name in names}, expected


CASES = {
    "compressed dual attention": attention_case,
    "generator, 2 stages, compressed dual attention": generator_case,
}
