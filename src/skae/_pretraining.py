"""Layer-wise pretraining: each layer as an autoencoder of the codes of the one below."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ._rows import StandardizedRows
from ._training import TrainingSettings, evaluate, train
from .nn import (
    AutoencoderNetwork,
    Decoder,
    Encoder,
    RowLoss,
    SquaredError,
    Standardize,
    TransposedLinear,
)


class Level(NamedTuple):
    """A layer of an encoder with its counterpart in the decoder, and the loss of the two."""

    network: AutoencoderNetwork
    loss: RowLoss


def blocks(layers: nn.Sequential) -> list[nn.Sequential]:
    """Cut a stack of layers before each of its linear ones, which have what follows them."""
    maps = nn.Linear | TransposedLinear
    starts = [i for i, layer in enumerate(layers) if isinstance(layer, maps)]
    stops = [*starts[1:], len(layers)]
    parts = list(layers)
    return [nn.Sequential(*parts[start:stop]) for start, stop in zip(starts, stops, strict=True)]


def hidden_level(encode: nn.Module, decode: nn.Module, n_in: int) -> Level:
    """Return the level of a layer above the first: squared error of the codes below."""
    single = torch.float32
    standardize = Standardize(torch.zeros(n_in, dtype=single), torch.tensor(1.0, dtype=single))
    encoder = Encoder(standardize, encode, nn.Identity())
    network = AutoencoderNetwork(encoder, Decoder(standardize, decode))
    return Level(network, SquaredError(standardize))


def pretrain(
    levels: Sequence[Level], rows: StandardizedRows, settings: TrainingSettings
) -> list[list[float]]:
    """Train levels in place, from the first to the last, and return their loss curves.

    Bengio et al. 2006, Greedy layer-wise training of deep networks, NeurIPS 19.
    """
    settings = replace(settings, callbacks=())
    curves = []
    for number, (network, loss) in enumerate(levels, start=1):
        label = f"layer {number} of {len(levels)}"
        curves.append(train(network, loss, rows, settings, label=label).loss_curve)
        if number < len(levels):
            rows = _encoded(network, rows)
            if not type(settings.noise).__module__.startswith("skae."):
                settings = replace(settings, noise=None)  # made for rows, not for codes
    return curves


def _encoded(network: AutoencoderNetwork, rows: StandardizedRows) -> StandardizedRows:
    """Return the codes of rows, as the rows of the level above."""
    H = evaluate(_encode, network, rows).numpy()
    return StandardizedRows(H, np.arange(len(H)), rows.sample_weight, np.zeros(H.shape[1]), 1.0)


def _encode(network, Z, target):
    return network.encoder.from_standardized(Z)
