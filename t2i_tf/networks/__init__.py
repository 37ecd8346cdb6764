"""The networks and their building blocks in keras.ops, independent of data and training.

    from t2i_tf.networks import Generator
    generator = Generator(stages=3, filters=32)

Each of them has `get_config`, so a model of them can be saved as `.keras`.
"""

from t2i_tf.networks.attention import (
    ChannelAttention,
    SpatialAttention,
    TextualAttention,
    VisualAttention,
)
from t2i_tf.networks.batch_norm import BatchNorm
from t2i_tf.networks.convolutions import Conv2D, SpectralConv2D
from t2i_tf.networks.discriminator import Discriminator
from t2i_tf.networks.dual_compressed import (
    CompressedChannelAttention,
    CompressedSpatialAttention,
)
from t2i_tf.networks.generator import Generator
from t2i_tf.networks.image_encoder import ImageEncoder, build_image_encoder
from t2i_tf.networks.layers import (
    Blocks,
    ConditioningAugmentation,
    DownBlock,
    InvertedResidualBlock,
    ResidualBlock,
    UpBlock,
)
from t2i_tf.networks.stages import (
    AttentionStage,
    CompressedDualAttentionStage,
    DualAttentionStage,
    InitialStage,
    JointStage,
)
from t2i_tf.networks.text_encoder import TextEncoder

__all__ = [
    "AttentionStage",
    "BatchNorm",
    "Blocks",
    "ChannelAttention",
    "CompressedChannelAttention",
    "CompressedDualAttentionStage",
    "CompressedSpatialAttention",
    "ConditioningAugmentation",
    "Discriminator",
    "DownBlock",
    "DualAttentionStage",
    "Generator",
    "ImageEncoder",
    "InitialStage",
    "InvertedResidualBlock",
    "JointStage",
    "ResidualBlock",
    "Conv2D",
    "SpatialAttention",
    "SpectralConv2D",
    "TextEncoder",
    "TextualAttention",
    "UpBlock",
    "VisualAttention",
    "build_image_encoder",
]
