"""AttnGAN's networks and its training step in plain PyTorch, as the paper writes them down.

Modules have the names of the published state dicts, so that `t2i_tf.published` reads their weights.
Maps are `[B, C, H, W]`. Source: Xu et al., 2018, arXiv:1711.10485.
"""

import itertools
from collections.abc import Sequence

import torch
from ml_collections import ConfigDict
from torch import Tensor, nn
from torch.nn import functional

UPSAMPLINGS = 4  # from 4 to 64 px


def glu(x: Tensor) -> Tensor:
    """Values times the sigmoid of gates, the halves of `[B, 2C, ...]`."""
    values, gates = x.chunk(2, dim=1)
    return values * torch.sigmoid(gates)


class GLU(nn.Module):
    """`glu`."""

    def forward(self, x: Tensor) -> Tensor:
        return glu(x)


def conv3x3(channels: int, filters: int) -> nn.Module:
    """A 3x3 convolution that keeps the size."""
    return nn.Conv2d(channels, filters, 3, padding=1, bias=False)


def up_block(channels: int, filters: int) -> nn.Module:
    """Doubles the size: nearest upsampling, convolution, BatchNorm, GLU."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"),
        conv3x3(channels, 2 * filters),
        nn.BatchNorm2d(2 * filters),
        GLU(),
    )


class TextEncoder(nn.Module):
    """A bidirectional LSTM over captions of one length: words `[B, T, E]`, sentences `[B, E]`."""

    def __init__(self, vocabulary: int, embedding_dim: int, units: int):
        super().__init__()
        self.encoder = nn.Embedding(vocabulary, embedding_dim)
        self.rnn = nn.LSTM(embedding_dim, units // 2, batch_first=True, bidirectional=True)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        words, (last, _) = self.rnn(self.encoder(tokens))
        return words, last.transpose(0, 1).flatten(1)


class Condition(nn.Module):
    """Conditioning augmentation: sentence `[B, E]` and eps `[B, C]` to (condition, mu, logvar)."""

    def __init__(self, units: int, condition_dim: int):
        super().__init__()
        self.fc = nn.Linear(units, 4 * condition_dim)

    def forward(self, sentence: Tensor, eps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = glu(self.fc(sentence)).chunk(2, dim=1)
        return mu + torch.exp(0.5 * logvar) * eps, mu, logvar


class FirstStage(nn.Module):
    """A code `[B, C + Z]` to features `[B, GF, 64, 64]`."""

    def __init__(self, code: int, filters: int):
        super().__init__()
        self.top = filters * 2**UPSAMPLINGS
        units = 2 * self.top * 4 * 4
        self.fc = nn.Sequential(nn.Linear(code, units, bias=False), nn.BatchNorm1d(units), GLU())
        for i in range(UPSAMPLINGS):
            block = up_block(self.top // 2**i, self.top // 2 ** (i + 1))
            self.add_module(f"upsample{i + 1}", block)

    def forward(self, code: Tensor) -> Tensor:
        h = self.fc(code).view(-1, self.top, 4, 4)
        for i in range(UPSAMPLINGS):
            h = self.get_submodule(f"upsample{i + 1}")(h)
        return h


class WordAttention(nn.Module):
    """Every place `[B, C, H, W]` gathers the words `[B, T, E]` that matter to it."""

    def __init__(self, filters: int, units: int):
        super().__init__()
        self.conv_context = nn.Conv2d(units, filters, 1, bias=False)

    def forward(self, features: Tensor, words: Tensor) -> Tensor:
        projected = self.conv_context(words.transpose(1, 2)[..., None])[..., 0]
        places = features.flatten(2).transpose(1, 2)
        weights = (places @ projected).softmax(dim=2)
        return (weights @ projected.transpose(1, 2)).transpose(1, 2).view(features.shape)


class ResidualBlock(nn.Module):
    """x + BN(conv(GLU(BN(conv(x)))))."""

    def __init__(self, channels: int):
        super().__init__()
        self.block = nn.Sequential(
            conv3x3(channels, 2 * channels),
            nn.BatchNorm2d(2 * channels),
            GLU(),
            conv3x3(channels, channels),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)


class LaterStage(nn.Module):
    """Attention, residual blocks, an up-block: features of twice the size."""

    def __init__(self, filters: int, units: int, residual_blocks: int):
        super().__init__()
        self.att = WordAttention(filters, units)
        blocks = (ResidualBlock(2 * filters) for _ in range(residual_blocks))
        self.residual = nn.Sequential(*blocks)
        self.upsample = up_block(2 * filters, filters)

    def forward(self, features: Tensor, words: Tensor) -> Tensor:
        h = torch.cat([features, self.att(features, words)], dim=1)
        return self.upsample(self.residual(h))


class ImageHead(nn.Module):
    """Features to an image in [-1, 1]."""

    def __init__(self, filters: int):
        super().__init__()
        self.img = nn.Sequential(conv3x3(filters, 3), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.img(x)


class Generator(nn.Module):
    """An image at every stage, the first of 64 px; none of the captions is padded."""

    def __init__(
        self,
        units: int,
        stages: int,
        filters: int,
        noise_dim: int,
        condition_dim: int,
        residual_blocks: int,
    ):
        super().__init__()
        self.stages = stages
        self.ca_net = Condition(units, condition_dim)
        self.h_net1 = FirstStage(condition_dim + noise_dim, filters)
        for i in range(2, stages + 1):
            self.add_module(f"h_net{i}", LaterStage(filters, units, residual_blocks))
        for i in range(1, stages + 1):
            self.add_module(f"img_net{i}", ImageHead(filters))

    def forward(
        self, sentence: Tensor, words: Tensor, noise: Tensor, eps: Tensor
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        """Returns the images `[B, 3, s, s]`, mu and logvar."""
        condition, mu, logvar = self.ca_net(sentence, eps)
        h = self.h_net1(torch.cat([condition, noise], dim=1))
        images = [self.img_net1(h)]
        for i in range(2, self.stages + 1):
            h = self.get_submodule(f"h_net{i}")(h, words)
            images.append(self.get_submodule(f"img_net{i}")(h))
        return images, mu, logvar


def down(channels: int, filters: int, norm: bool = True) -> list[nn.Module]:
    """Layers that halve the size."""
    layers = [nn.Conv2d(channels, filters, 4, 2, 1, bias=False)]
    return [*layers, *([nn.BatchNorm2d(filters)] if norm else []), nn.LeakyReLU(0.2)]


def keep(channels: int, filters: int) -> nn.Module:
    """A block that keeps the size."""
    return nn.Sequential(conv3x3(channels, filters), nn.BatchNorm2d(filters), nn.LeakyReLU(0.2))


class Head(nn.Module):
    """Logits `[B]` from features `[B, 8 DF, 4, 4]`, with sentences `[B, units]` if it has units."""

    def __init__(self, filters: int, units: int = 0):
        super().__init__()
        if units:
            self.jointConv = keep(8 * filters + units, 8 * filters)
        self.outlogits = nn.Sequential(nn.Conv2d(8 * filters, 1, 4, 4))

    def forward(self, features: Tensor, sentence: Tensor | None = None) -> Tensor:
        if sentence is not None:
            places = sentence[:, :, None, None].expand(-1, -1, 4, 4)
            features = self.jointConv(torch.cat([features, places], dim=1))
        return self.outlogits(features).flatten()


class Discriminator(nn.Module):
    """Images `[B, 3, S, S]` to features, and heads alone and with a sentence."""

    def __init__(self, image_size: int, filters: int, units: int):
        super().__init__()
        widths = [filters * 2**i for i in range(4)]
        layers = down(3, filters, norm=False)
        for channels, width in itertools.pairwise(widths):
            layers += down(channels, width)
        self.img_code_s16 = nn.Sequential(*layers)
        self.names, halvings, width = [], (image_size // 64).bit_length() - 1, widths[-1]
        for i in range(halvings):
            self._add(f"img_code_s{32 * 2**i}", nn.Sequential(*down(width, 2 * width)))
            width *= 2
        for i in range(halvings):
            self._add(f"img_code_s{image_size // 4}_{i + 1}", keep(width, width // 2))
            width //= 2
        self.COND_DNET = Head(filters, units)
        self.UNCOND_DNET = Head(filters)

    def _add(self, name, module):
        self.names.append(name)
        self.add_module(name, module)

    def forward(self, images: Tensor) -> Tensor:
        """Features `[B, 8 DF, 4, 4]`."""
        h = self.img_code_s16(images)
        for name in self.names:
            h = self.get_submodule(name)(h)
        return h


def networks(
    config: ConfigDict, vocabulary: int
) -> tuple[TextEncoder, Generator, list[Discriminator]]:
    """The networks of a config with random weights, in training mode, channels-last.

    Args:
        config: Of an AttnGAN whose first image has 64 px; other options are not looked at.
        vocabulary: Number of token ids.
    """
    units, sizes = config.text_encoder.units, config.generator
    encoder = TextEncoder(vocabulary, config.text_encoder.embedding_dim, units)
    names = ("stages", "filters", "noise_dim", "condition_dim", "residual_blocks")
    generator = Generator(units, **{name: sizes[name] for name in names})
    discriminators = [
        Discriminator(64 * 2**i, config.discriminator.filters, units) for i in range(sizes.stages)
    ]
    for network in (generator, *discriminators):
        network.to(memory_format=torch.channels_last)
    return encoder.requires_grad_(False).eval(), generator, discriminators


def discriminator_loss(
    network: Discriminator, real: Tensor, fake: Tensor, sentence: Tensor
) -> Tensor:
    """Cross-entropy of real, drawn and mismatched pairs."""
    of_real, of_fake = network(real), network(fake)
    positive = [network.COND_DNET(of_real, sentence), network.UNCOND_DNET(of_real)]
    negative = [
        network.COND_DNET(of_fake, sentence),
        network.UNCOND_DNET(of_fake),
        network.COND_DNET(of_real[:-1], sentence[1:]),
    ]
    return mean([functional.softplus(-logits.float()).mean() for logits in positive]) + mean(
        [functional.softplus(logits.float()).mean() for logits in negative]
    )


def generator_loss(network: Discriminator, fake: Tensor, sentence: Tensor) -> Tensor:
    """Cross-entropy of drawn images that should seem real."""
    features = network(fake)
    logits = network.COND_DNET(features, sentence), network.UNCOND_DNET(features)
    return sum(functional.softplus(-own.float()).mean() for own in logits)


def mean(losses: Sequence[Tensor]) -> Tensor:
    """Their mean."""
    return sum(losses) / len(losses)


def kl_loss(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL divergence of N(mu, exp(logvar)) from N(0, 1), averaged."""
    mu, logvar = mu.float(), logvar.float()
    return -0.5 * (1.0 + logvar - mu**2 - logvar.exp()).mean()


@torch.no_grad()
def settle(encoder: TextEncoder, generator: Generator, rows: int = 8) -> None:
    """Gives the generator's BatchNorms the statistics of a batch, as training would; seeded."""
    norms = [m for m in generator.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]
    for norm in norms:
        norm.momentum = 1.0
    condition_dim = generator.ca_net.fc.out_features // 4
    noise_dim = generator.h_net1.fc[0].in_features - condition_dim
    words, sentence = encoder(torch.randint(1, encoder.encoder.num_embeddings, (rows, 5)))
    generator(sentence, words, torch.randn(rows, noise_dim), torch.randn(rows, condition_dim))
    for norm in norms:
        norm.momentum = 0.1
