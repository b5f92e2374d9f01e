"""Networks around the layers of others: the same numbers, at other columns."""

import numpy as np
import pytest
import torch
from torch import nn

from skae.nn import (
    AutoencoderNetwork,
    ColumnActivations,
    Decoder,
    Encoder,
    Reorder,
    ReorderedNetwork,
    Standardize,
)

COLUMNS = torch.tensor([4, 2, 0, 3, 1])
CODES = torch.tensor([1, 2, 0])


def network(activation=None, argument=None):
    torch_generator = torch.Generator().manual_seed(0)
    standardize = Standardize(torch.randn(5, generator=torch_generator), torch.tensor(2.0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = Encoder(standardize, nn.Linear(5, 3), nn.Tanh())
        decoder = Decoder(standardize, nn.Linear(3, 5), activation, argument)
    return AutoencoderNetwork(encoder, decoder, nn.Identity()).eval()


def mixed_outputs():
    groups = torch.tensor([0, 1, 0, 1, 1])
    argument = Standardize(torch.arange(5.0), torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    return ColumnActivations(groups, [nn.Sigmoid, nn.Identity]), argument


@pytest.mark.parametrize("codes", [None, CODES])
@pytest.mark.parametrize("outputs", [(None, None), (nn.Sigmoid(), None), mixed_outputs()])
def test_the_same_rows_at_other_columns_give_the_same_bits(codes, outputs):
    inner = network(*outputs)
    outer = ReorderedNetwork(inner, COLUMNS, codes)
    rows = torch.randn(7, 5, generator=torch.Generator().manual_seed(1))
    seen = rows[:, COLUMNS]  # by the layers
    with torch.no_grad():
        code, inner_code = outer.encoder(rows), inner.encoder(seen)
        as_layers_see = code if codes is None else code[:, codes]
        assert torch.equal(as_layers_see, inner_code)
        assert torch.equal(outer.decoder(code)[:, COLUMNS], inner.decoder(inner_code))
        forward, inner_forward = outer(rows), inner(seen)
        for found, expected in (
            (forward.reconstruction, inner_forward.reconstruction),
            (forward.preactivation, inner_forward.preactivation),
        ):
            assert torch.equal(found[:, COLUMNS], expected)


@pytest.mark.parametrize("codes", [None, CODES])
@pytest.mark.parametrize("outputs", [(None, None), mixed_outputs()])
def test_without_it_the_network_is_what_it_was_with_the_same_layers(codes, outputs):
    inner = network(*outputs)
    again = ReorderedNetwork(inner, COLUMNS, codes).without()
    assert type(again) is AutoencoderNetwork
    assert again.encoder.body is inner.encoder.body
    assert again.decoder.body is inner.decoder.body
    assert again.encoder.activation is inner.encoder.activation
    assert again.between is inner.between
    rows = torch.randn(7, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(again.encoder(rows), inner.encoder(rows))
        for found, expected in zip(again(rows), inner(rows), strict=True):
            assert torch.equal(found, expected)


def test_columns_are_reordered_before_and_after_a_module():
    X = torch.arange(6.0).reshape(2, 3)
    found = Reorder(nn.Identity(), before=CODES, after=torch.tensor([2, 1, 0]))(X)
    np.testing.assert_array_equal(found, X.numpy()[:, [1, 2, 0]][:, [2, 1, 0]])
    assert found.is_contiguous()
    assert torch.equal(Reorder(nn.Identity())(X), X)
