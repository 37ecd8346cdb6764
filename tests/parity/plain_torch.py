"""Networks in plain PyTorch, written from the papers' formulas, where nobody published the code.

Parts have the names of the Keras layers. Maps are `[B, C, H, W]`, words `[B, T, E]`.
"""

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import spectral_norm


def glu(x):
    """a * sigmoid(b) of the halves a and b of the channels."""
    a, b = x.chunk(2, dim=1)
    return a * torch.sigmoid(b)


def conv(channels, filters, size=3, **options):
    return nn.Conv2d(channels, filters, size, padding=size // 2, bias=False, **options)


class UpBlock(nn.Module):
    """Nearest upsampling, convolution, BatchNorm, GLU (StackGAN-v2, section 5)."""

    def __init__(self, channels, filters):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(2 * filters, channels, 3, 3))
        self.norm = nn.BatchNorm2d(2 * filters)

    def forward(self, x):
        larger = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        return glu(self.norm(functional.conv2d(larger, self.weight, padding=1)))


class ResidualBlock(nn.Module):
    """x + BN(conv(GLU(BN(conv(x)))))."""

    def __init__(self, channels):
        super().__init__()
        self.conv_1, self.norm_1 = conv(channels, 2 * channels), nn.BatchNorm2d(2 * channels)
        self.conv_2, self.norm_2 = conv(channels, channels), nn.BatchNorm2d(channels)

    def forward(self, x):
        return x + self.norm_2(self.conv_2(glu(self.norm_1(self.conv_1(x)))))


class InvertedResidualBlock(nn.Module):
    """Expand, filter each channel, project linearly, add (MobileNetV2, table 1)."""

    def __init__(self, channels, expansion=6):
        super().__init__()
        wide = expansion * channels
        self.expand, self.norm_1 = conv(channels, wide, 1), nn.BatchNorm2d(wide)
        self.depthwise, self.norm_2 = conv(wide, wide, groups=wide), nn.BatchNorm2d(wide)
        self.project, self.norm_3 = conv(wide, channels, 1), nn.BatchNorm2d(channels)

    def forward(self, x):
        h = self.norm_1(self.expand(x)).clamp(0, 6)
        h = self.norm_2(self.depthwise(h)).clamp(0, 6)
        return x + self.norm_3(self.project(h))


class ChannelAttention(nn.Module):
    """M(F) = sigmoid(MLP(average of F) + MLP(maximum of F)), M(F) F (CBAM, eq. 2)."""

    def __init__(self, channels, reduction=8):
        super().__init__()
        self.hidden = nn.Linear(channels, channels // reduction)
        self.gate = nn.Linear(channels // reduction, channels)

    def forward(self, x):
        places = x.flatten(2)
        described = [
            self.gate(torch.relu(self.hidden(values)))
            for values in (places.mean(dim=2), places.max(dim=2).values)
        ]
        return torch.sigmoid(sum(described))[:, :, None, None] * x


class SpatialAttention(nn.Module):
    """y_j = x_j + scale * sum_i beta_ji h(x_i) over places i (SAGAN, eq. 1-3).

    beta_j is the softmax over i of f(x_i) . g(x_j); f is the key, g the query and h the value. Maps
    of more than `size` places a side are averaged down before and enlarged after.
    """

    def __init__(self, channels, size=32):
        super().__init__()
        self.size = size
        self.key, self.query = (conv(channels, channels // 8, 1) for _ in range(2))
        self.value = conv(channels, channels, 1)
        self.scale = nn.Parameter(torch.empty(()))

    def forward(self, x):
        side = x.shape[-1]
        small = functional.adaptive_avg_pool2d(x, min(side, self.size))
        f, g, h = (of(small).flatten(2) for of in (self.key, self.query, self.value))
        s = f.transpose(1, 2) @ g  # s[i, j]
        o = (h @ s.softmax(dim=1)).reshape(small.shape)
        if side > self.size:
            o = functional.interpolate(o, (side, side), mode="bilinear", align_corners=False)
        return x + self.scale * o


class VisualAttention(nn.Module):
    """Of the channels, then of the places."""

    def __init__(self, channels):
        super().__init__()
        self.channel, self.spatial = ChannelAttention(channels), SpatialAttention(channels)

    def forward(self, x):
        return self.spatial(self.channel(x))


class TextualAttention(nn.Module):
    """c_j = sum_i softmax_i(h_j . U e_i) U e_i over a caption's own words (AttnGAN, eq. 2)."""

    def __init__(self, channels, embedding):
        super().__init__()
        self.project = nn.Linear(embedding, channels, bias=False)

    def forward(self, features, words, mask):
        projected = self.project(words)
        scores = torch.einsum("bcyx,btc->btyx", features, projected)
        weights = scores.masked_fill(~mask[:, :, None, None], -torch.inf).softmax(dim=1)
        return torch.einsum("btyx,btc->bcyx", weights, projected), weights


class _LaterStage(nn.Module):
    """`looked` joins the features with what is looked at; residual blocks, an up-block."""

    residual = ResidualBlock

    def __init__(self, filters, residual_blocks):
        super().__init__()
        self.names = [f"residual_{i}" for i in range(residual_blocks)]
        for name in self.names:
            self.add_module(name, self.residual(2 * filters))
        self.up = UpBlock(2 * filters, filters)

    def forward(self, features, words, mask, condition):
        h, weights = self.looked(features, words, mask, condition)
        for name in self.names:
            h = self.get_submodule(name)(h)
        return self.up(h), weights


class DualAttentionStage(_LaterStage):
    """conv([h + textual(h, words), h + visual(h)]), inverted residual blocks (DualAttn-GAN)."""

    residual = InvertedResidualBlock

    def __init__(self, filters, residual_blocks, embedding, _):
        super().__init__(filters, residual_blocks)
        self.textual = TextualAttention(filters, embedding)
        self.visual = VisualAttention(filters)
        self.embed = conv(2 * filters, 2 * filters, 1)

    def looked(self, features, words, mask, _):
        context, weights = self.textual(features, words, mask)
        both = [features + context, features + self.visual(features)]
        return self.embed(torch.cat(both, dim=1)), weights


class JointStage(_LaterStage):
    """GLU(BN(conv([h, c]))) with the condition c at every place (StackGAN-v2, section 3.2)."""

    def __init__(self, filters, residual_blocks, _, condition_dim):
        super().__init__(filters, residual_blocks)
        self.joint = conv(filters + condition_dim, 4 * filters)
        self.norm = nn.BatchNorm2d(4 * filters)

    def looked(self, features, words, mask, condition):
        places = condition[:, :, None, None].expand(-1, -1, *features.shape[2:])
        return glu(self.norm(self.joint(torch.cat([features, places], dim=1)))), None


class InitialStage(nn.Module):
    """[c, z], a dense layer, BatchNorm, ReLU or GLU, a map of 4x4, up-blocks."""

    def __init__(self, codes, filters, size, activation):
        super().__init__()
        self.activation = activation
        top = filters * size // 4
        units = 16 * top * (2 if activation is glu else 1)
        self.dense, self.norm = nn.Linear(codes, units, bias=False), nn.BatchNorm1d(units)
        self.names = [f"up_{i}" for i in range((size // 4).bit_length() - 1)]
        for i, name in enumerate(self.names):
            self.add_module(name, UpBlock(top // 2**i, top // 2 ** (i + 1)))

    def forward(self, code):
        h = self.activation(self.norm(self.dense(code)))
        h = h.reshape(len(h), 4, 4, -1).permute(0, 3, 1, 2)
        for name in self.names:
            h = self.get_submodule(name)(h)
        return h


class Generator(nn.Module):
    """An image at every stage; `attention` is `"dual"` or `"none"`."""

    def __init__(
        self,
        attention,
        embedding,
        stages,
        filters,
        noise_dim,
        condition_dim,
        residual_blocks,
        base_size,
    ):
        super().__init__()
        self.stages = stages
        stage = {"dual": DualAttentionStage, "none": JointStage}[attention]
        self.condition = nn.ModuleDict({"dense": nn.Linear(embedding, 4 * condition_dim)})
        activation = torch.relu if attention == "dual" else glu
        self.initial = InitialStage(condition_dim + noise_dim, filters, base_size, activation)
        for i in range(1, stages):
            made = stage(filters, residual_blocks, embedding, condition_dim)
            self.add_module(f"stage_{i}", made)
        for i in range(stages):
            self.add_module(f"image_{i}", conv(filters, 3))

    def forward(self, sentence, words, mask, noise, eps):
        """Returns the images, mu, logvar and the attention, by name."""
        mu, logvar = glu(self.condition["dense"](sentence)).chunk(2, dim=1)
        condition = mu + (logvar / 2).exp() * eps
        h = self.initial(torch.cat([condition, noise], dim=1))
        named = {"mu": mu, "logvar": logvar, "img0": torch.tanh(self.image_0(h))}
        for i in range(1, self.stages):
            h, weights = self.get_submodule(f"stage_{i}")(h, words, mask, condition)
            named[f"img{i}"] = torch.tanh(self.get_submodule(f"image_{i}")(h))
            if weights is not None:
                named[f"att{i - 1}"] = weights
        return named


def spectral_conv(channels, filters, size, stride=1):
    """'Same' at even sides; PyTorch's own power iteration."""
    padding = 0 if size == stride else 1
    return spectral_norm(nn.Conv2d(channels, filters, size, stride, padding))


class Discriminator(nn.Module):
    """AttnGAN's at up to 64 px, with spectral norm and biases instead of BatchNorm (AttnGAN++)."""

    def __init__(self, image_size, filters, embedding):
        super().__init__()
        self.names = [f"down_{i}" for i in range((image_size // 4).bit_length() - 1)]
        channels = 3
        for i, name in enumerate(self.names):
            block = nn.ModuleDict({"conv": spectral_conv(channels, filters * 2**i, 4, 2)})
            self.add_module(name, block)
            channels = filters * 2**i
        self.unconditional_head = spectral_conv(channels, 1, 4, 4)
        self.joint = nn.ModuleDict({"conv": spectral_conv(channels + embedding, channels, 3)})
        self.conditional_head = spectral_conv(channels, 1, 4, 4)

    def forward(self, images, sentence):
        """Returns both logits, each `[B]`, by name."""
        h = images
        for name in self.names:
            h = functional.leaky_relu(self.get_submodule(name)["conv"](h), 0.2)
        places = sentence[:, :, None, None].expand(-1, -1, 4, 4)
        joint = self.joint["conv"](torch.cat([h, places], dim=1))
        return {
            "uncond_logit": self.unconditional_head(h).flatten(),
            "cond_logit": self.conditional_head(functional.leaky_relu(joint, 0.2)).flatten(),
        }
