"""A process that draws or trains with the PyTorch networks and tells how long each call took.

    python -m benchmarks.peer_process draw|train PRECISION FORM FOLDER

PRECISION is `float32` or `bfloat16` (autocast), FORM `eager` or `compiled` (torch.compile). FOLDER
holds what `benchmarks.peer` wrote: `config.json`, `inputs.npz` and the state dicts. Each line on
standard input is a batch size; the answer is a line of JSON, as `benchmarks.drawing` gives it.
`draw` first draws its `inputs.npz` and writes the picture as `<PRECISION>_<FORM>.npy`.
"""

import contextlib
import copy
import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch._inductor.config
from ml_collections import ConfigDict

from benchmarks import peer_networks
from benchmarks.drawing import peak_memory_mb

COMPILERS = {
    "eager": lambda function: function,
    "compiled": functools.partial(torch.compile, dynamic=False),
}
EMA_DECAY = 0.999


def autocast(precision: str) -> contextlib.AbstractContextManager:
    """Arithmetic in a precision, weights in float32."""
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")


def drawing(precision: str, form: str, folder: Path) -> Callable[[int], np.ndarray]:
    """Draws as uint8 `[B, S, S, 3]` with the state dicts of the folder."""
    encoder, generator, _ = read(folder)
    generator.eval()
    condition_dim = generator.ca_net.fc.out_features // 4
    torch._inductor.config.freezing = True  # It folds the BatchNorms, for compiled drawing only.
    network = COMPILERS[form](generator)
    inputs = {name: torch.from_numpy(a) for name, a in np.load(folder / "inputs.npz").items()}

    def draw(tokens, noise):
        with torch.no_grad():
            words, sentence = encoder(tokens)
            eps = torch.zeros(len(noise), condition_dim)
            with autocast(precision):
                images, _, _ = network(sentence, words, noise, eps)
            levels = (images[-1].float() * 127.5 + 127.5).round_().clamp_(0, 255)
            return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()

    np.save(folder / f"{precision}_{form}.npy", draw(inputs["tokens"], inputs["noise"]))

    def repeat(batch):
        noise = torch.randn(batch, inputs["noise"].shape[1])
        return draw(inputs["tokens"][:1].repeat(batch, 1), noise)

    return repeat


def training(precision: str, form: str, folder: Path) -> Callable[[int], float]:
    """Trains discriminators and generator for a step, by Adam, with an averaged generator."""
    encoder, generator, discriminators = read(folder)
    averaged = copy.deepcopy(generator).requires_grad_(False)
    networks = [generator, *discriminators]
    adams = [torch.optim.Adam(n.parameters(), lr=2e-4, betas=(0.5, 0.999)) for n in networks]
    if form == "compiled":
        losses = map(
            torch.compile, (peer_networks.discriminator_loss, peer_networks.generator_loss)
        )
        draw = torch.compile(generator, dynamic=False)
    else:
        losses, draw = (peer_networks.discriminator_loss, peer_networks.generator_loss), generator
    discriminator_loss, generator_loss = losses
    inputs = np.load(folder / "inputs.npz")
    vocabulary, words = encoder.encoder.num_embeddings, inputs["tokens"].shape[1]
    noise_dim, condition_dim = inputs["noise"].shape[1], generator.ca_net.fc.out_features // 4

    def minimize(loss, adam):
        adam.zero_grad()
        loss.backward()
        adam.step()

    def step(batch):
        rows = torch.randint(1, vocabulary, (batch, words))
        reals = [
            torch.rand(batch, 3, 64 * 2**i, 64 * 2**i).to(memory_format=torch.channels_last)
            for i in range(len(discriminators))
        ]
        start = time.perf_counter()
        encoded, sentence = encoder(rows)
        noise, eps = torch.randn(batch, noise_dim), torch.randn(batch, condition_dim)
        with autocast(precision):
            fakes, mu, logvar = draw(sentence, encoded, noise, eps)
        for network, adam, real, fake in zip(discriminators, adams[1:], reals, fakes, strict=True):
            with autocast(precision):
                loss = discriminator_loss(network, real, fake.detach(), sentence)
            minimize(loss, adam)
        for network in discriminators:
            network.requires_grad_(False)
        with autocast(precision):
            each = [
                generator_loss(network, fake, sentence)
                for network, fake in zip(discriminators, fakes, strict=True)
            ]
        minimize(sum(each) + peer_networks.kl_loss(mu, logvar), adams[0])
        for network in discriminators:
            network.requires_grad_(True)
        with torch.no_grad():
            torch._foreach_lerp_(
                list(averaged.parameters()), list(generator.parameters()), 1 - EMA_DECAY
            )
        return time.perf_counter() - start

    return step


def read(folder: Path) -> tuple:
    """The networks of the folder's config and state dicts; discriminators are random."""
    torch.manual_seed(0)
    config = ConfigDict(json.loads((folder / "config.json").read_text()))
    states = [torch.load(folder / f"{name}.pth") for name in ("text_encoder", "generator")]
    networks = peer_networks.networks(config, len(states[0]["encoder.weight"]))
    for network, state in zip(networks, states, strict=False):
        network.load_state_dict(state)
    return networks


def main(task: str, precision: str, form: str, folder: str) -> None:
    """Answers each line on standard input."""
    call = {"draw": drawing, "train": training}[task](precision, form, Path(folder))
    for line in sys.stdin:
        start = time.perf_counter()
        seconds = call(int(line))
        if task == "draw":
            seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "memory_mb": peak_memory_mb()}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
