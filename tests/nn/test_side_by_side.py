"""Networks side by side give what each gives by itself, and learn what each learns."""

import copy

import pytest
import torch
from torch import nn

from skae.activation import TopK
from skae.nn import (
    ACTIVATIONS,
    Activation,
    AutoencoderNetwork,
    CallableLoss,
    ColumnActivations,
    ColumnLosses,
    Decoder,
    Encoder,
    Huber,
    LogLoss,
    LossSideBySide,
    ObservedLoss,
    PenalizedLoss,
    SkipConnection,
    SquaredError,
    Standardize,
    likeness,
    linear,
    mlp,
    part_of,
    side_by_side,
    transposed_mlp,
)
from skae.penalty import Contraction, KLSparsity, L1Sparsity

N_FEATURES, N_CODES, N_ROWS = 5, 2, 7
GROUPS = torch.tensor([0, 1, 1, 0, 1])


def network_of(
    seed, *, path=True, tied=False, activation=None, hidden=(6, 4), codes=nn.Identity, **layers
):
    """Return a network with random numbers everywhere, the mean and the scale included."""
    generator = torch.Generator().manual_seed(seed)
    mean = torch.empty(N_FEATURES).normal_(generator=generator)
    standardize = Standardize(mean, torch.tensor(1.0 + seed))
    encode = mlp((N_FEATURES, *hidden, N_CODES), "silu", generator=generator, **layers)
    decode = mlp((N_CODES, *hidden[::-1], N_FEATURES), "silu", generator=generator, **layers)
    if tied:
        decode = transposed_mlp(encode, "silu")
    if path:
        encode = SkipConnection(linear(N_FEATURES, N_CODES, generator=generator), encode)
        decode = SkipConnection(linear(N_CODES, N_FEATURES, generator=generator), decode)
    argument = None if activation is None else Standardize(-mean, torch.tensor(2.0))
    return AutoencoderNetwork(
        Encoder(standardize, encode, codes()),
        Decoder(standardize, decode, activation, argument),
    )


def column_losses(network):
    standardize = network.encoder.standardize
    groups = [(SquaredError, torch.tensor([0, 3])), (LogLoss, torch.tensor([1, 2, 4]))]
    return ColumnLosses(standardize, groups)


NETWORKS = {
    "plain": [network_of(seed, path=False) for seed in range(3)],
    "with linear paths": [network_of(seed) for seed in range(3)],
    "some with linear paths": [network_of(seed, path=seed != 1) for seed in range(3)],
    "tied": [network_of(seed, path=False, tied=True) for seed in range(3)],
    "with layer normalization": [network_of(seed, normalization="layer") for seed in range(3)],
    "with sparse codes": [network_of(seed, codes=lambda: Activation(TopK(1))) for seed in range(3)],
    "with bounded codes": [network_of(seed, codes=nn.Sigmoid) for seed in range(3)],
    "a single layer": [network_of(seed, path=False, hidden=()) for seed in range(3)],
    "with an output activation": [network_of(seed, activation=nn.Sigmoid()) for seed in range(3)],
    "with activations by column": [
        network_of(seed, activation=ColumnActivations(GROUPS, [nn.ReLU, nn.Identity]))
        for seed in range(3)
    ],
}


def of_rows(kind):
    return lambda network: kind(network.encoder.standardize)


def observed(network):
    return ObservedLoss(SquaredError(network.encoder.standardize))


def penalized(network):
    penalties = [L1Sparsity(0.1), Contraction(0.2)]
    if isinstance(network.encoder.activation, nn.Sigmoid):
        penalties.append(KLSparsity(0.1, weight=0.3))
    return PenalizedLoss(observed(network), penalties, network.encoder.from_standardized)


LOSSES = [
    of_rows(SquaredError),
    of_rows(Huber),
    of_rows(LogLoss),
    column_losses,
    observed,
    penalized,
]


def batches(n_networks):
    generator = torch.Generator().manual_seed(9)
    Z = torch.empty(n_networks, N_ROWS, N_FEATURES).uniform_(generator=generator)
    return Z, torch.empty(n_networks, N_ROWS).uniform_(generator=generator)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", NETWORKS)
def test_one_module_has_the_outputs_and_the_gradients_of_all(kind, loss):
    networks = copy.deepcopy(NETWORKS[kind])
    losses = [loss(network) for network in networks]
    for alike in (networks, losses):
        assert len({likeness(one) for one in alike} - {None}) == 1
    together = side_by_side(networks)
    criterion = LossSideBySide(side_by_side(losses), together)
    Z, weight = batches(len(networks))
    target = Z.clone()
    if loss in (observed, penalized):
        target[:, 0, 0] = torch.nan

    output = together(Z)
    criterion(output, [target, weight]).backward()
    means = criterion.take_means()
    gradients = {name: tensor.grad for name, tensor in together.named_parameters()}
    for i, (network, one) in enumerate(zip(networks, losses, strict=True)):
        alone = network(Z[i])
        for mine, theirs in zip(alone, output, strict=True):
            torch.testing.assert_close(theirs[i], mine)
        value = one(alone, [target[i], weight[i]])
        torch.testing.assert_close(means[i], value)
        torch.testing.assert_close(criterion.rows(output, target)[i], one.rows(alone, target[i]))
        value.backward()
        for name, parameter in network.named_parameters():
            if name not in gradients:  # one without a linear path, beside others
                name = name.replace("body", "body.correction")
            torch.testing.assert_close(gradients[name][i].reshape(parameter.shape), parameter.grad)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_part_of_one_module_is_the_network_that_it_is_made_of(kind):
    networks = NETWORKS[kind]
    together = side_by_side(networks)
    for i, network in enumerate(networks):
        own = dict(network.state_dict())
        found = part_of(together, i, network)
        assert set(found) <= set(own)
        assert {name for name, tensor in own.items() if tensor.is_floating_point()} == set(found)
        for name, tensor in found.items():
            assert torch.equal(tensor, own[name])


def test_a_path_that_a_network_lacks_is_never_learnt():
    together = side_by_side(NETWORKS["some with linear paths"])
    Z, _ = batches(3)
    together(Z).reconstruction.square().sum().backward()
    for part in (together.encoder, together.decoder):
        path = part.body.linear_path
        assert (path.weight.grad[1] == 0).all()
        assert (path.bias.grad[1] == 0).all()
        assert (path.weight.grad[0] != 0).any()


def test_the_networks_are_left_as_they_are():
    networks = copy.deepcopy(NETWORKS["plain"])
    together = side_by_side(networks)
    with torch.no_grad():
        for parameter in together.parameters():
            parameter.fill_(0.0)
    for network, before in zip(networks, NETWORKS["plain"], strict=True):
        for name, tensor in network.state_dict().items():
            assert torch.equal(tensor, before.state_dict()[name])


def test_networks_that_differ_in_more_than_numbers_are_not_alike():
    plain = network_of(0)
    others = [
        network_of(0, hidden=(6, 5)),
        network_of(0, activation=nn.Sigmoid()),
        network_of(0, path=False, tied=True),
    ]
    frozen = network_of(0)
    next(frozen.encoder.body.correction.parameters()).requires_grad_(False)
    first = ColumnActivations(GROUPS, [nn.ReLU, nn.Identity])
    other = ColumnActivations(1 - GROUPS, [nn.ReLU, nn.Identity])
    assert likeness(plain) == likeness(network_of(1)) == likeness(network_of(0, path=False))
    assert all(likeness(network) != likeness(plain) for network in [*others, frozen])
    assert likeness(first) != likeness(other)


class Own(nn.Identity):
    """A user's."""


@pytest.mark.parametrize(
    "part",
    [
        *(nn.Dropout(0.5), nn.BatchNorm1d(N_CODES), Own(), nn.PReLU()),
        *(nn.LayerNorm(N_CODES, elementwise_affine=False), nn.LayerNorm((1, N_CODES))),
    ],
    ids=lambda part: type(part).__name__,
)
def test_what_is_not_known_to_stack_is_like_nothing(part):
    network = network_of(0, path=False)
    network.encoder.body.append(part)
    assert likeness(network) is None
    loss = CallableLoss(network.encoder.standardize, lambda reconstruction, X: X)
    assert likeness(loss) is None


def test_every_activation_stacks():
    for name, activation in ACTIVATIONS.items():
        assert likeness(activation()) is not None, name
