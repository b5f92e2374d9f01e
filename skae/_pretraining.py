"""Layer-wise pretraining: each layer as an autoencoder of the codes of the one below."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ._fitting import LEAST_SCALE
from ._rows import StandardizedRows, StreamedRows, fill_holes, mean_and_scale
from ._training import TrainingSettings, evaluate, train
from .nn import (
    AutoencoderNetwork,
    Decoder,
    Dropout,
    Encoder,
    RowLoss,
    SquaredError,
    Standardize,
    TransposedLinear,
)


class Pretrained(NamedTuple):
    """How the training of a level went."""

    loss_curve: list[float]  # (n_epochs,)
    measured: float


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


def levels_of(
    network: AutoencoderNetwork,
    loss: RowLoss,
    into: Sequence[nn.Sequential],
    out_of: Sequence[nn.Sequential],
) -> list[Level]:
    """Pair the blocks of an encoder, from the rows on, with those of the decoder, to the rows.

    The first level has the loss and the outputs of the network, the others the squared error of
    the codes below. Their layers are those of the network, which is trained where they are.
    """
    encoder, decoder = network.encoder, network.decoder
    first = AutoencoderNetwork(
        Encoder(encoder.standardize, into[0], nn.Identity()),
        Decoder(encoder.standardize, out_of[0], decoder.activation, decoder.argument),
    )
    levels = [Level(first, loss)]
    for code, rebuild in zip(into[1:], out_of[1:], strict=True):
        levels.append(_hidden_level(code, rebuild))
    return levels


def _hidden_level(encode: nn.Sequential, decode: nn.Sequential) -> Level:
    """Return the level of a layer above the first: squared error of the codes below."""
    n_in: int = encode[0].in_features  # type: ignore[assignment]
    single = torch.float32
    standardize = Standardize(torch.zeros(n_in, dtype=single), torch.tensor(1.0, dtype=single))
    encoder = Encoder(standardize, encode, nn.Identity())
    # What is reconstructed is all of the code below: none of it is dropped on the way out.
    decode = nn.Sequential(*(layer for layer in decode if not isinstance(layer, Dropout)))
    network = AutoencoderNetwork(encoder, Decoder(standardize, decode))
    return Level(network, SquaredError(standardize))


def pretrain(
    levels: Sequence[Level],
    rows: StandardizedRows,
    settings: Sequence[TrainingSettings],
    measure: Callable[[AutoencoderNetwork, StandardizedRows], float] = lambda *level: float("nan"),
) -> list[Pretrained]:
    """Train levels in place, from the first to the last, each with its own settings.

    Bengio et al. 2006, Greedy layer-wise training of deep networks, NeurIPS 19.

    ``measure(network, rows)`` is applied to each level after its training.
    """
    if isinstance(rows, StreamedRows):
        raise ValueError(
            "pretrain=True keeps the codes of all rows, of each layer, in memory, which is not for "
            f"{rows.X!r}. Set pretrain=False, or allow more memory."
        )
    results = []
    with settings[0].report.part("pretraining", len(levels)) as report:
        for number, (level, how) in enumerate(zip(levels, settings, strict=True), start=1):
            how = replace(how, callbacks=(), report=report, view=None)
            if number > 1 and not type(how.noise).__module__.startswith("skae."):
                how = replace(how, noise=None)  # made for rows, not for codes
            label = f"layer {number} of {len(levels)}"
            curve = train(*level, rows, how, label=label).loss_curve
            results.append(Pretrained(curve, measure(level.network, rows)))
            if number < len(levels):
                rows = encoded_rows(level.network.encoder, rows)
    return results


def explained(network: AutoencoderNetwork, rows: StandardizedRows) -> float:
    """Return the share of the variance of training rows that an autoencoder explains."""
    filled = fill_holes(rows.X, rows.mean)
    _, scale = mean_and_scale(filled, rows.indices, rows.sample_weight)
    variance = (scale / rows.scale) ** 2 * rows.X.shape[1]
    errors = evaluate(_squared_error, network, rows).double().numpy()
    error = float(np.average(errors, weights=rows.sample_weight))
    return 1 - error / variance if variance > LEAST_SCALE else float(np.isclose(error, 0))


def _squared_error(network, Z, target):
    error = network(Z).reconstruction - target
    return error.square().masked_fill(target.isnan(), 0.0).sum(dim=1)


def encoded_rows(encoder: Encoder, rows: StandardizedRows) -> StandardizedRows:
    """Return the codes of rows, as the rows of the level above."""
    H = evaluate(_encode, encoder, rows).numpy()
    return StandardizedRows(H, np.arange(len(H)), rows.sample_weight, np.zeros(H.shape[1]), 1.0)


def _encode(encoder, Z, target):
    return encoder.from_standardized(Z)
