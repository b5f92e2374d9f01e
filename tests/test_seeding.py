"""Randomness: decided by a seed, and nobody else's."""

import numpy as np
import pytest
import torch

from skae._seeding import (
    draw_seed,
    global_draws,
    global_torch_seed,
    go_on_drawing,
    torch_generator,
)


def test_a_seed_fits_into_31_bits_and_follows_the_random_state():
    seeds = [draw_seed(random_state) for random_state in range(200)]
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert len(set(seeds)) == 200
    assert seeds == [draw_seed(random_state) for random_state in range(200)]


def test_a_random_state_gives_a_new_seed_each_time():
    random = np.random.RandomState(0)
    assert draw_seed(random) == draw_seed(0)
    assert draw_seed(random) != draw_seed(0)


def test_a_generator_draws_what_torch_draws_from_the_same_seed():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        expected = torch.rand(4)
    assert torch.equal(torch.rand(4, generator=torch_generator(5)), expected)


def test_an_own_generator_does_not_move_the_global_one():
    before = torch.get_rng_state()
    torch.rand(4, generator=torch_generator(5))
    assert torch.equal(torch.get_rng_state(), before)


def test_inside_the_block_the_global_generator_follows_the_seed():
    def draw(seed):
        with global_torch_seed(seed):
            return torch.rand(4)

    assert torch.equal(draw(5), torch.rand(4, generator=torch_generator(5)))
    assert not torch.equal(draw(5), draw(6))


def test_the_global_generator_is_given_back_as_found():
    before = torch.get_rng_state()
    with global_torch_seed(5):
        torch.rand(4)
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(ZeroDivisionError), global_torch_seed(5):
        torch.rand(1 // 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_global_generators_go_on_from_where_they_were_found():
    with global_torch_seed(3):
        torch.rand(2)
        draws = global_draws()
        expected = torch.rand(4)
        torch.rand(7)
        go_on_drawing(draws)
        assert torch.equal(torch.rand(4), expected)
