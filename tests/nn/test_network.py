"""The network: its parts in units of X, its forward pass on standardized rows, its start."""

import io
import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

from skae.nn import (
    ACTIVATIONS,
    AutoencoderNetwork,
    AutoencoderOutput,
    ColumnActivations,
    Decoder,
    Encoder,
    FirstCodes,
    Gate,
    MissingFlags,
    PadCodes,
    SkipConnection,
    Standardize,
    as_encoded,
    linear,
    mlp,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(n_rows=20, n_features=5, seed=0):
    return 3 * torch.randn(n_rows, n_features, generator=generator(seed)) + 7


def standardize_of(X):
    return Standardize(X.mean(dim=0), X.var(dim=0, unbiased=False).mean().sqrt())


def network(X, output="identity", latent="identity", n_components=2):
    """Return a network of random weights; an output activation has an argument of its own."""
    n_features = X.shape[1]
    standardize = standardize_of(X)
    encode = mlp((n_features, 6, n_components), "tanh", generator=generator(1))
    decode = mlp((n_components, 6, n_features), "tanh", generator=generator(2))
    encoder = Encoder(standardize, encode, ACTIVATIONS[latent]())
    if output == "identity":
        return AutoencoderNetwork(encoder, Decoder(standardize, decode))
    argument = Standardize(torch.linspace(-1, 1, n_features), torch.tensor(2.5))
    decoder = Decoder(standardize, decode, ACTIVATIONS[output](), argument)
    return AutoencoderNetwork(encoder, decoder)


def test_standardizing_is_undone_by_its_inverse():
    X = rows()
    standardize = standardize_of(X)
    Z = standardize(X)
    torch.testing.assert_close(Z.mean(dim=0), torch.zeros(5), atol=1e-5, rtol=0)
    assert Z.var(dim=0, unbiased=False).mean().item() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(standardize.inverse(Z), X)


def test_mean_and_scale_travel_with_the_weights_and_are_not_learned():
    standardize = standardize_of(rows())
    assert set(standardize.state_dict()) == {"mean", "scale"}
    assert not list(standardize.parameters())
    assert standardize.double()(rows().double()).dtype == torch.float64
    assert "n_features=5" in repr(standardize)


@pytest.mark.parametrize("output", ["identity", "logistic", "softplus"])
@pytest.mark.parametrize("latent", ["identity", "tanh"])
def test_encoder_and_decoder_on_raw_rows_are_the_forward_pass_on_standardized_ones(output, latent):
    X = rows()
    net = network(X, output, latent)
    result = net(net.encoder.standardize(X))
    torch.testing.assert_close(net.encoder(X), result.code)
    decoded = net.decoder(result.code)
    torch.testing.assert_close(decoded, net.encoder.standardize.inverse(result.reconstruction))


@pytest.mark.parametrize("output", ["logistic", "softplus", "tanh"])
def test_an_output_activation_is_applied_to_the_preactivation_in_units_of_X(output):
    X = rows()
    net = network(X, output)
    result = net(net.encoder.standardize(X))
    expected = ACTIVATIONS[output]()(result.preactivation)
    torch.testing.assert_close(net.decoder(result.code), expected)
    body = net.decoder.body(result.code)
    torch.testing.assert_close(result.preactivation, body * 2.5 + torch.linspace(-1, 1, 5))


def test_without_an_output_activation_the_preactivation_is_the_reconstruction():
    X = rows()
    result = network(X)(standardize_of(X)(X))
    assert torch.equal(result.preactivation, result.reconstruction)


def test_a_latent_activation_bounds_the_codes():
    X = 100 * rows()
    assert network(X, latent="logistic").encoder(X).min() >= 0


def test_a_correction_starts_at_zero_and_learns():
    path = linear(5, 2, generator=generator())
    skip = SkipConnection(path, mlp((5, 8, 2), "silu", generator=generator(), zero_last=True))
    X = rows()
    assert torch.equal(skip(X), path(X))
    skip(X).sum().backward()
    assert skip.correction[-1].weight.grad.any()
    with torch.no_grad():
        skip.correction[-1].bias += 1
    torch.testing.assert_close(skip(X), path(X) + 1)


def test_a_gate_starts_closed_and_learns_to_open_for_each_output():
    inner = nn.Linear(5, 3)
    gate = Gate(inner, 3)
    X = rows()
    assert not gate(X).any()
    gate(X).sum().backward()
    torch.testing.assert_close(gate.gain.grad, inner(X).sum(dim=0))
    with torch.no_grad():
        gate.gain.copy_(torch.tensor([0.0, 1.0, -2.0]))
    torch.testing.assert_close(gate(X), inner(X) * torch.tensor([0.0, 1.0, -2.0]))


def test_a_linear_path_at_the_principal_axes_is_pca():
    X = rows(50).double()
    pca = PCA(2).fit(X.numpy())
    axes = torch.from_numpy(pca.components_)
    skips = []
    for weight in (axes, axes.T):
        n_out, n_in = weight.shape
        path = linear(n_in, n_out, generator=generator(), zero=True)
        path.weight.data = weight.clone()
        correction = mlp((n_in, 8, n_out), "silu", generator=generator(), zero_last=True)
        skips.append(SkipConnection(path, correction).double())
        skips[-1].linear_path.weight.data = weight.clone()
    standardize = standardize_of(X)
    net = AutoencoderNetwork(
        Encoder(standardize, skips[0], nn.Identity()), Decoder(standardize, skips[1])
    ).double()
    with torch.no_grad():
        codes, decoded = net.encoder(X), net.decoder(net.encoder(X))
    expected = pca.transform(X.numpy())
    np.testing.assert_allclose(codes * standardize.scale, expected, atol=1e-5)
    np.testing.assert_allclose(decoded, pca.inverse_transform(expected), atol=1e-5)


def test_switching_modes_reaches_all_modules():
    net = network(rows())
    for mode in (False, True, True, False):
        assert net.train(mode) is net
        assert {module.training for module in net.modules()} == {mode}
    assert net.eval() is net


def test_weights_can_be_saved_and_loaded():
    X = rows()
    net, other = network(X, "softplus"), network(2 * X, "softplus")
    buffer = io.BytesIO()
    torch.save(net.state_dict(), buffer)
    buffer.seek(0)
    other.load_state_dict(torch.load(buffer))
    assert torch.equal(other.encoder(X), net.encoder(X))
    assert not math.isnan(other.decoder(net.encoder(X)).sum().item())


def test_column_activations_act_on_their_own_columns():
    X = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    part = ColumnActivations(torch.tensor([1, 0, 2, 1]), [nn.Identity, nn.Sigmoid, nn.Softplus])
    expected = torch.stack(
        [X[:, 0].sigmoid(), X[:, 1], nn.functional.softplus(X[:, 2]), X[:, 3].sigmoid()], dim=1
    )
    torch.testing.assert_close(part(X), expected)


def test_codes_that_are_cut_and_padded_are_those_with_zeros():
    code = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    expected = code.clone()
    expected[:, 2:] = 0
    assert torch.equal(PadCodes(4)(FirstCodes(2)(code)), expected)


def test_flags_say_which_values_are_missing():
    Z = torch.tensor([[1.0, torch.nan, torch.nan], [2.0, 3.0, 4.0]])
    expected = torch.tensor([[1.0, 0, 0, 0, 1], [2, 3, 4, 0, 0]])
    assert torch.equal(MissingFlags(torch.tensor([0, 2]))(Z), expected)
    assert torch.equal(MissingFlags(torch.tensor([0, 2]))(torch.stack([Z, Z]))[1], expected)


def test_rows_keep_their_holes_only_for_an_encoder_that_knows_of_them():
    Z = torch.tensor([[1.0, torch.nan]])
    standardize = Standardize(torch.zeros(2), torch.tensor(1.0))
    plain = Encoder(standardize, nn.Linear(2, 1), nn.Identity())
    body = nn.Sequential(MissingFlags(torch.arange(2)), nn.Linear(4, 1))
    flagged = Encoder(standardize, body, nn.Identity())
    assert torch.equal(as_encoded(plain, Z), torch.tensor([[1.0, 0.0]]))
    assert torch.equal(as_encoded(flagged, Z).isnan(), Z.isnan())
    assert flagged(Z).isfinite().all()


def test_a_reconstruction_is_computed_once_when_it_is_asked_for():
    calls = []

    def rebuild():
        calls.append(1)
        return torch.ones(2, 3)

    output = AutoencoderOutput(rebuild, torch.zeros(2, 1), torch.zeros(2, 3))
    assert not calls
    assert output.reconstruction is output.reconstruction
    assert [part.shape[1] for part in output] == [3, 1, 3]
    assert len(calls) == 1
