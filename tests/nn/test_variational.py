"""The variational network and its loss: against torch.distributions, loops and closed forms."""

import copy
import math
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.distributions import Bernoulli, Independent, Normal
from torch.nn import functional as F

from skae.nn import (
    LIKELIHOODS,
    BernoulliLikelihood,
    Binarize,
    Decoder,
    DrawCode,
    EvidenceLoss,
    GaussianLikelihood,
    Standardize,
    VariationalEncoder,
    VariationalNetwork,
    VariationalOutput,
    fixed_draws,
    kl_divergence,
    mlp,
    seed_layers,
)

N_ROWS, N_FEATURES, N_CODES = 7, 5, 3


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def standardize():
    return Standardize(torch.linspace(0.2, 0.6, N_FEATURES), torch.tensor(0.25))


def network(likelihood="gaussian", n_conditions=0, normalization=None, binarize=False):
    """Return a network of random weights, in double precision."""
    unit = standardize()
    sizes = {"normalization": normalization, "generator": generator(1)}
    encode = mlp((N_FEATURES, 6, 2 * N_CODES), "tanh", **sizes)
    decode = mlp((N_CODES + n_conditions, 6, N_FEATURES), "tanh", **sizes)
    model = LIKELIHOODS[likelihood](unit)
    model = VariationalNetwork(
        VariationalEncoder(unit, encode),
        Decoder(unit, decode, model.output()),
        model,
        Binarize(unit) if binarize else None,
    )
    seed_layers(model, 0)
    return model.double().eval()


def record(n_rows=N_ROWS):
    return VariationalOutput(
        normal(n_rows, N_CODES, seed=1),
        normal(n_rows, N_CODES, seed=2),
        normal(n_rows, N_CODES, seed=3),
        normal(n_rows, seed=4),
    )


# Distributions


def test_the_divergence_is_that_of_torch():
    mean, log_variance = normal(N_ROWS, N_CODES), normal(N_ROWS, N_CODES, seed=1)
    posterior = Normal(mean, (0.5 * log_variance).exp())
    expected = torch.distributions.kl_divergence(posterior, Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(kl_divergence(mean, log_variance), expected)


def test_the_divergence_is_the_mean_difference_of_log_densities():
    mean, log_variance = torch.tensor([[0.7, -1.2]]).double(), torch.tensor([[-1.0, 0.4]]).double()
    posterior = Normal(mean, (0.5 * log_variance).exp())
    codes = mean + (0.5 * log_variance).exp() * normal(200_000, 2)
    difference = posterior.log_prob(codes) - Normal(0.0, 1.0).log_prob(codes)
    found = difference.sum(dim=1).mean().item()
    assert found == pytest.approx(kl_divergence(mean, log_variance).item(), abs=0.01)


def test_a_code_that_says_nothing_diverges_by_nothing():
    assert kl_divergence(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0, 0]


@pytest.mark.parametrize("variance", [0.3, 1.0, 7.0])
def test_the_gaussian_likelihood_is_that_of_torch(variance):
    likelihood = GaussianLikelihood(standardize()).double()
    likelihood.set_variance(variance)
    assert likelihood.variance().item() == pytest.approx(variance)
    output, Z = normal(N_ROWS, N_FEATURES), normal(N_ROWS, N_FEATURES, seed=1)
    expected = Independent(Normal(output, math.sqrt(variance)), 1).log_prob(Z)
    torch.testing.assert_close(likelihood(output, Z), expected)


def test_the_variance_of_the_noise_stays_positive():
    likelihood = GaussianLikelihood(standardize())
    with torch.no_grad():
        likelihood.noise_log_variance.fill_(-1000.0)
    assert likelihood.variance().item() == pytest.approx(1e-6)
    likelihood.set_variance(0.0)
    assert likelihood.variance().item() == pytest.approx(2e-6)


def test_the_bernoulli_likelihood_is_that_of_torch():
    unit = standardize().double()
    X = torch.bernoulli(torch.full((N_ROWS, N_FEATURES), 0.4), generator=generator()).double()
    logits = 3 * normal(N_ROWS, N_FEATURES)
    expected = Independent(Bernoulli(logits=logits), 1).log_prob(X)
    torch.testing.assert_close(BernoulliLikelihood(unit)(logits, unit(X)), expected)


def test_values_between_zero_and_one_have_the_cross_entropy():
    unit = standardize().double()
    X = torch.rand(N_ROWS, N_FEATURES, generator=generator(), dtype=torch.float64)
    logits = 30 * normal(N_ROWS, N_FEATURES)
    entropy = F.binary_cross_entropy_with_logits(logits, X, reduction="none")
    torch.testing.assert_close(BernoulliLikelihood(unit)(logits, unit(X)), -entropy.sum(dim=1))


def test_noise_has_the_variance_of_the_likelihood():
    likelihood = GaussianLikelihood(standardize())
    likelihood.set_variance(0.5)
    X = torch.full((20_000, 2), 3.0, dtype=torch.float64)
    rows = likelihood.draw(X, 4.0, generator())
    assert rows.mean().item() == pytest.approx(3, abs=0.05)
    assert rows.var().item() == pytest.approx(0.5 * 16, rel=0.02)


def test_noise_of_probabilities_is_zeros_and_ones():
    rows = BernoulliLikelihood(standardize()).draw(torch.full((20_000, 1), 0.3), 1.0, generator())
    assert rows.unique().tolist() == [0, 1]
    assert rows.mean().item() == pytest.approx(0.3, abs=0.02)


# Layers that draw


def test_codes_are_drawn_from_their_distributions():
    mean, log_variance = torch.tensor([[2.0, -1.0]]), torch.tensor([[0.0, -3.0]])
    draw = DrawCode()
    seed_layers(draw, 0)
    codes = draw(mean.expand(50_000, -1), log_variance.expand(50_000, -1))
    torch.testing.assert_close(codes.mean(dim=0), mean[0], atol=0.02, rtol=0)
    torch.testing.assert_close(codes.var(dim=0), log_variance[0].exp(), atol=0, rtol=0.03)


def test_gradients_reach_the_parameters_of_a_draw():
    mean, log_variance = (normal(4, 2, seed=seed).requires_grad_() for seed in (0, 1))
    draw = DrawCode()
    seed_layers(draw, 0)
    code = draw(mean, log_variance)
    code.sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones(4, 2).double())
    torch.testing.assert_close(log_variance.grad, 0.5 * (code - mean).detach())


def test_binarized_rows_are_zeros_and_ones_with_the_probabilities_of_the_values():
    binarize = Binarize(standardize())
    seed_layers(binarize, 0)
    X = torch.tensor([0.0, 0.25, 0.5, 0.9, 1.0]).expand(20_000, -1)
    drawn = standardize().inverse(binarize(standardize()(X)))
    assert torch.isin(drawn.round(decimals=4), torch.tensor([0.0, 1.0])).all()
    torch.testing.assert_close(drawn.mean(dim=0), X[0], atol=0.02, rtol=0)
    assert drawn[:, 0].abs().max() < 1e-5
    assert (drawn[:, 4] - 1).abs().max() < 1e-5
    assert not torch.equal(standardize().inverse(binarize(standardize()(X))), drawn)


def test_draws_are_those_of_the_generator_and_leave_the_global_one_alone():
    model = network("bernoulli", binarize=True)
    Z = normal(N_ROWS, N_FEATURES)
    before = torch.get_rng_state()
    with fixed_draws(model, 3):
        first = model(Z)
    with fixed_draws(model, 3):
        second = model(Z)
    with fixed_draws(model, 4):
        other = model(Z)
    assert torch.equal(first.code, second.code)
    assert torch.equal(first.log_likelihood, second.log_likelihood)
    assert not torch.equal(first.code, other.code)
    assert torch.equal(torch.get_rng_state(), before)
    assert pickle.loads(pickle.dumps(model)).draw.generator is None


# The network


def test_encoder_and_decoder_take_rows_and_codes_in_their_own_units():
    model = network()
    X = 4 * normal(N_ROWS, N_FEATURES)
    Z = model.encoder.standardize(X)
    torch.testing.assert_close(model.encoder(X), model.encoder.body(Z)[:, :N_CODES])
    rebuilt = model.encoder.standardize.inverse(model.reconstruct(Z))
    torch.testing.assert_close(model.decoder(model.encoder(X)), rebuilt)


def test_the_forward_pass_is_the_method_of_the_paper():
    model = network()
    Z = normal(N_ROWS, N_FEATURES)
    with fixed_draws(model, 0):
        output = model(Z)
    seed_layers(model, 0)
    mean, log_variance = model.encoder.body(Z).split(N_CODES, dim=1)
    code = model.draw(mean, log_variance)
    expected = model.likelihood(model.decoder.body(code), Z)
    for found, wanted in zip(output, (mean, log_variance, code, expected), strict=True):
        torch.testing.assert_close(found, wanted)


def test_an_outlier_has_a_number_as_variance():
    model = network()
    with torch.no_grad():
        model.encoder.body[-1].bias.fill_(1e6)
        mean, log_variance = model.encoder.posterior(normal(N_ROWS, N_FEATURES).float().double())
    assert log_variance.exp().isfinite().all()
    assert kl_divergence(mean.float(), log_variance.float()).isfinite().all()


def test_a_condition_reaches_the_decoder_and_not_the_encoder():
    model = network(n_conditions=2)
    Z = normal(N_ROWS, N_FEATURES)
    rows = [torch.cat([Z, normal(N_ROWS, 2, seed=seed)], dim=1) for seed in (1, 2)]
    outputs = []
    for some in rows:
        with fixed_draws(model, 0):
            outputs.append(model(some))
    assert torch.equal(outputs[0].mean, outputs[1].mean)
    assert torch.equal(outputs[0].code, outputs[1].code)
    assert not torch.isclose(outputs[0].log_likelihood, outputs[1].log_likelihood).any()
    expected = model.decoder.body(torch.cat([outputs[0].mean, rows[0][:, N_FEATURES:]], dim=1))
    torch.testing.assert_close(model.reconstruct(rows[0]), expected)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("n_conditions", [0, 2])
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_weights_and_bounds_are_those_of_a_loop_over_rows_and_draws(
    likelihood, n_conditions, normalization
):
    model = network(likelihood, n_conditions, normalization)
    X = torch.rand(N_ROWS, N_FEATURES, generator=generator(), dtype=torch.float64)
    Z = model.encoder.standardize(X)
    rows = torch.cat([Z, normal(N_ROWS, n_conditions, seed=1)], dim=1)
    noise = normal(4, N_CODES, seed=2)
    weights, bounds = model.log_weights(rows, noise), model.lower_bounds(rows, noise)
    mean, log_variance = model.encoder.posterior(Z)
    prior = Independent(Normal(torch.zeros(N_CODES).double(), 1.0), 1)
    for i in range(N_ROWS):
        posterior = Independent(Normal(mean[i], (0.5 * log_variance[i]).exp()), 1)
        divergence = torch.distributions.kl_divergence(posterior.base_dist, prior.base_dist).sum()
        for j in range(len(noise)):
            code = mean[i] + posterior.base_dist.stddev * noise[j]
            output = model.decoder.body(torch.cat([code, rows[i, N_FEATURES:]])[None])[0]
            given = model.likelihood(output, Z[i])
            expected = given + prior.log_prob(code) - posterior.log_prob(code)
            torch.testing.assert_close(weights[i, j], expected)
            torch.testing.assert_close(bounds[i, j], given - divergence)


def test_short_products_leave_sums_in_single_precision():
    model = network().float()
    with torch.autocast("cpu", torch.bfloat16):
        output = model(normal(N_ROWS, N_FEATURES).float())
    assert all(field.dtype == torch.float32 for field in output)


# The loss


def test_the_loss_is_minus_the_weighted_mean_of_the_lower_bound():
    weight = torch.tensor([0.5, 1.0, 2.0, 0.25, 1.25, 1.0, 1.0], dtype=torch.float64)
    output = record()
    total = 0.0
    for mean, log_variance, _, likelihood, w in zip(*output, weight, strict=True):
        divergence = sum(
            0.5 * (m**2 + math.exp(v) - 1 - v)
            for m, v in zip(mean.tolist(), log_variance.tolist(), strict=True)
        )
        total += w.item() * (3.0 * divergence - likelihood.item())
    loss = EvidenceLoss(standardize(), beta=3.0)(output, [torch.zeros(N_ROWS, 2), weight])
    assert loss.item() == pytest.approx(total / N_ROWS)


def test_the_weight_of_the_divergence_rises_to_its_target_and_stays():
    loss = EvidenceLoss(standardize(), beta=4.0, warm_up=0.5)
    assert loss.beta_now() == 4  # outside of a training
    rising = []
    for loss.progress in (0.0, 0.25, 0.5, 0.75, 1.0):
        rising.append(loss.beta_now())
    assert rising == [0, 2, 4, 4, 4]
    output, ones = record(), torch.ones(N_ROWS)
    loss.progress = 0.25
    half = EvidenceLoss(standardize(), beta=2.0)(output, [torch.zeros(N_ROWS, 2), ones])
    assert loss(output, [torch.zeros(N_ROWS, 2), ones]) == half


def test_rows_held_out_are_judged_by_the_full_weight_during_the_warm_up():
    warming, plain = EvidenceLoss(standardize(), 4.0, 0.5), EvidenceLoss(standardize(), 4.0)
    warming.progress = 0.1
    assert torch.equal(warming.rows(record(), None), plain.rows(record(), None))


def test_the_expected_loss_of_a_linear_decoder_is_its_closed_form():
    unit = standardize()
    encode, decode = nn.Linear(N_FEATURES, 2 * N_CODES), nn.Linear(N_CODES, N_FEATURES)
    with torch.no_grad():
        for parameter, seed in zip(
            [*encode.parameters(), *decode.parameters()], range(4), strict=True
        ):
            parameter.copy_(0.5 * normal(*parameter.shape, seed=seed))
    likelihood = GaussianLikelihood(unit)
    likelihood.set_variance(0.4)
    model = VariationalNetwork(VariationalEncoder(unit, encode), Decoder(unit, decode), likelihood)
    model = model.double()
    Z = normal(1, N_FEATURES, seed=9)
    seed_layers(model, 0)
    with torch.no_grad():
        output = copy.deepcopy(model)(Z.expand(200_000, -1))
    loss = EvidenceLoss(unit)
    found = loss.rows(output, Z).mean().item()
    mean, log_variance = encode(Z)[0].split(N_CODES)
    squares = (Z[0] - decode(mean)).square().sum() + (decode.weight**2 @ log_variance.exp()).sum()
    expected = 0.5 * (squares / 0.4 + N_FEATURES * math.log(2 * math.pi * 0.4))
    expected = expected + kl_divergence(mean, log_variance)
    assert found == pytest.approx(expected.item(), abs=0.05)


@settings(max_examples=50, deadline=None)
@given(logit=st.floats(-8, 8), inside=st.floats(0, 1))
def test_bernoulli_values_are_cross_entropies_inside_and_fall_outside(logit, inside):
    standardize = Standardize(torch.zeros(1), torch.tensor(1.0))
    likelihood = BernoulliLikelihood(standardize)
    logits = torch.tensor([[logit]])
    expected = -F.binary_cross_entropy_with_logits(logits, torch.tensor([[inside]]))
    assert likelihood(logits, torch.tensor([[inside]])).item() == pytest.approx(
        expected.item(), abs=1e-4
    )
    for end, step in ((0.0, -1.0), (1.0, 1.0)):
        outside = torch.tensor([[end + step * far] for far in (0.0, 0.1, 0.5, 2.0, 20.0)])
        values = likelihood(logits.expand(5, 1), outside)
        assert (values.diff() < 0).all()


@pytest.mark.parametrize("kind", [GaussianLikelihood, BernoulliLikelihood])
def test_a_missing_value_adds_nothing_to_a_likelihood(kind):
    generator = torch.Generator().manual_seed(0)
    Z, output = torch.rand(5, 4, generator=generator), torch.randn(5, 4, generator=generator)
    likelihood = kind(Standardize(torch.zeros(4), torch.tensor(1.0)))
    holes = Z.clone()
    holes[:, 1] = torch.nan
    known = kind(Standardize(torch.zeros(3), torch.tensor(1.0)))
    expected = known(output[:, [0, 2, 3]], Z[:, [0, 2, 3]])
    torch.testing.assert_close(likelihood(output, holes), expected)
