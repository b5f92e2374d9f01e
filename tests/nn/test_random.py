"""Layers that draw: what they draw, from where, and that nothing else moves."""

import copy
import pickle

import pytest
import torch
from torch import nn

from skae.nn import Dropout, NestedDropout, PrefixDropout, fixed_draws, seed_layers


def ones(n_rows=2000, n_columns=10):
    return torch.ones(n_rows, n_columns)


def seeded(layer, seed=0):
    seed_layers(layer, seed)
    return layer


def test_dropout_zeroes_its_rate_and_keeps_the_mean():
    dropped = seeded(Dropout(0.3))(ones())
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert dropped.mean().item() == pytest.approx(1, abs=0.03)
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.7])


def test_nested_dropout_keeps_prefixes_and_half_of_the_codes_whole():
    kept = seeded(NestedDropout())(ones())
    assert (kept.diff(dim=1) <= 0).all()  # ones, then zeros
    assert (kept[:, 0] == 1).all()
    lengths = kept.sum(dim=1)
    assert (lengths == 10).float().mean().item() == pytest.approx(0.55, abs=0.03)
    shares = [(lengths == n).float().mean().item() for n in range(1, 10)]
    assert shares == pytest.approx([0.05] * 9, abs=0.02)


def test_prefix_dropout_draws_all_lengths_alike_and_lets_rows_take_turns_out_of_training():
    drawn = seeded(PrefixDropout())(ones()).sum(dim=1)
    shares = [(drawn == n).float().mean().item() for n in range(1, 11)]
    assert shares == pytest.approx([0.1] * 10, abs=0.03)
    kept = PrefixDropout().eval()(ones(12))
    assert kept.sum(dim=1).tolist() == [*range(1, 11), 1, 2]
    assert (kept.diff(dim=1) <= 0).all()


@pytest.mark.parametrize("layer", [Dropout(0.5), NestedDropout()], ids=["dropout", "nested"])
class TestEveryRandomLayer:
    def test_does_nothing_out_of_training(self, layer):
        layer = copy.deepcopy(layer).eval()
        assert torch.equal(layer(ones()), ones())

    def test_draws_the_same_from_the_same_seed(self, layer):
        network = nn.Sequential(copy.deepcopy(layer))
        first, second, other = (seeded(network, seed)(ones()) for seed in (0, 0, 1))
        assert torch.equal(first, second)
        assert not torch.equal(first, other)

    def test_leaves_the_global_generator_alone(self, layer):
        before = torch.get_rng_state()
        seeded(copy.deepcopy(layer))(ones())
        assert torch.equal(torch.get_rng_state(), before)

    def test_fixed_draws_do_not_move_the_generator_of_the_training(self, layer):
        network = nn.Sequential(copy.deepcopy(layer))
        undisturbed = [seeded(network)(ones()), network(ones())]
        disturbed = [seeded(network)(ones())]
        with fixed_draws(network, 7):
            inside = network(ones())
        disturbed.append(network(ones()))
        with fixed_draws(network, 7):
            assert torch.equal(network(ones()), inside)
        assert all(torch.equal(a, b) for a, b in zip(undisturbed, disturbed, strict=True))

    def test_leaves_its_generator_out_of_copies_and_pickles(self, layer):
        layer = seeded(copy.deepcopy(layer))
        assert copy.deepcopy(layer).generator is None
        assert pickle.loads(pickle.dumps(layer)).generator is None
        assert layer.generator is not None
